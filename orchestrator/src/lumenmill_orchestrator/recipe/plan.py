"""What a recipe would do: executions by node, and the time that they would take."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lumenmill_orchestrator.recipe.model import Node, Pipeline, Recipe

__all__ = ["PlannedCall", "estimated_seconds", "planned_calls"]

_KNOWN_BEFORE = frozenset({"params", "chain", "models"})
_ASSUMED_ELEMENTS = 1


@dataclass(frozen=True)
class PlannedCall:
    """One node of a plan."""

    name: str
    call: str
    model: str
    num_executions: int
    depends_on: tuple[str, ...]


def planned_calls(recipe: Recipe) -> list[PlannedCall]:
    """The nodes in order of execution with the executions of the whole run.

    A fan-out counts `at_most` elements, or those of the node that it follows; without either, one.
    """
    found: list[PlannedCall] = []
    for pipeline in recipe.pipelines:
        if pipeline.source.call is not None:
            call = pipeline.source.call
            name = recipe.qualified(pipeline, call.name)
            found.append(PlannedCall(name, call.method.call, call.model, len(pipeline.source.shards()), ()))
        widths = _widths(pipeline)
        chains = _chains_of_nodes(recipe, pipeline)
        for node in pipeline.nodes:
            before = node.depends_on() or (["source"] if pipeline.source.call is not None else [])
            found.append(
                PlannedCall(
                    name=recipe.qualified(pipeline, node.name),
                    call=node.method.call,
                    model=node.model,
                    num_executions=chains[node.name] * widths[node.name],
                    depends_on=tuple(recipe.qualified(pipeline, name) for name in before),
                )
            )
    return found


def estimated_seconds(
    planned: list[PlannedCall], seconds_of: Callable[[PlannedCall], float | None], workers: Mapping[str, int]
) -> float | None:
    """Seconds until the slowest model is through with its share; None when some node has not been measured yet."""
    load_s: dict[str, float] = defaultdict(float)
    for call in planned:
        seconds = seconds_of(call)
        if seconds is None and call.num_executions:
            return None
        load_s[call.model] += (seconds or 0.0) * call.num_executions
    return max((load / max(workers.get(model, 1), 1) for model, load in load_s.items()), default=0.0)


def _widths(pipeline: Pipeline) -> dict[str, int]:
    """Instances of every node in one chain, at most."""
    widths: dict[str, int] = {}
    for node in pipeline.nodes:
        widths[node.name] = _width(node, widths)
    return widths


def _width(node: Node, widths: Mapping[str, int]) -> int:
    fan_out = node.fan_out
    if fan_out is None:
        return 1
    if fan_out.aligned_node is not None:
        followed = widths[fan_out.aligned_node]
        return followed if fan_out.at_most is None else min(followed, fan_out.at_most)
    return _ASSUMED_ELEMENTS if fan_out.at_most is None else fan_out.at_most


def _chains_of_nodes(recipe: Recipe, pipeline: Pipeline) -> dict[str, int]:
    """Chains in which every node takes part: all, unless its `when` or that of a node before it leaves some out."""
    applies: dict[str, list[bool]] = {}
    everywhere = [True] * pipeline.source.num_chains
    for node in pipeline.nodes:
        own = _own_chains(recipe, pipeline, node) or everywhere
        for name in node.depends_on():
            own = [here and before for here, before in zip(own, applies[name], strict=True)]
        applies[node.name] = own
    return {name: sum(chains) for name, chains in applies.items()}


def _own_chains(recipe: Recipe, pipeline: Pipeline, node: Node) -> list[bool] | None:
    """In which chains `when` may hold, as far as can be told before the run; None where it has none."""
    if node.when is None:
        return None
    scope = dict(recipe.base_scope())
    chains = ({"index": index, "id": pipeline.chain_id(index)} for index in range(pipeline.source.num_chains))
    return [node.when.holds({**scope, "chain": chain}, _KNOWN_BEFORE) is not False for chain in chains]
