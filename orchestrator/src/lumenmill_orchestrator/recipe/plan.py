"""Plans a recipe: executions by step, and an estimate of the time that they take."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lumenmill_orchestrator.recipe.model import Pipeline, Recipe, Step

__all__ = ["PlannedCall", "estimated_seconds", "planned_calls"]

_KNOWN_BEFORE = frozenset({"params", "item_index", "item_id", "models"})
_ASSUMED_ELEMENTS = 1


@dataclass(frozen=True)
class PlannedCall:
    """One step of a plan."""

    name: str
    call: str
    model: str
    num_executions: int
    depends_on: tuple[str, ...]


def planned_calls(recipe: Recipe) -> list[PlannedCall]:
    """Return the steps in order of execution with their number of executions in the whole run.

    A fan-out counts `at_most` elements, or those of the step that it is aligned with; otherwise one.
    """
    found: list[PlannedCall] = []
    for pipeline in recipe.pipelines:
        if pipeline.source.call is not None:
            call = pipeline.source.call
            name = recipe.qualified(pipeline, call.name)
            found.append(PlannedCall(name, call.method.call, call.model_name, len(pipeline.source.batches()), ()))
        widths = _widths(pipeline)
        items = _items_of_steps(recipe, pipeline)
        for step in pipeline.steps:
            before = step.depends_on() or (["source"] if pipeline.source.call is not None else [])
            found.append(
                PlannedCall(
                    name=recipe.qualified(pipeline, step.name),
                    call=step.method.call,
                    model=step.model_name,
                    num_executions=items[step.name] * widths[step.name],
                    depends_on=tuple(recipe.qualified(pipeline, name) for name in before),
                )
            )
    return found


def estimated_seconds(
    planned: list[PlannedCall], seconds_of: Callable[[PlannedCall], float | None], workers: Mapping[str, int]
) -> float | None:
    """Return the seconds of work of the busiest model; None when some step has not been measured yet."""
    load_s: dict[str, float] = defaultdict(float)
    for call in planned:
        seconds = seconds_of(call)
        if seconds is None and call.num_executions:
            return None
        load_s[call.model] += (seconds or 0.0) * call.num_executions
    return max((load / max(workers.get(model, 1), 1) for model, load in load_s.items()), default=0.0)


def _widths(pipeline: Pipeline) -> dict[str, int]:
    """Return an upper bound of the instances of every step in one item."""
    widths: dict[str, int] = {}
    for step in pipeline.steps:
        widths[step.name] = _width(step, widths)
    return widths


def _width(step: Step, widths: Mapping[str, int]) -> int:
    fan_out = step.fan_out
    if fan_out is None:
        return 1
    if fan_out.aligned_step is not None:
        followed = widths[fan_out.aligned_step]
        return followed if fan_out.at_most is None else min(followed, fan_out.at_most)
    return _ASSUMED_ELEMENTS if fan_out.at_most is None else fan_out.at_most


def _items_of_steps(recipe: Recipe, pipeline: Pipeline) -> dict[str, int]:
    """Return the number of items that execute each step: all, unless its `when` or an earlier step's excludes some."""
    applies: dict[str, list[bool]] = {}
    everywhere = [True] * pipeline.source.num_items
    for step in pipeline.steps:
        own = _own_items(recipe, pipeline, step) or everywhere
        for name in step.depends_on():
            own = [here and before for here, before in zip(own, applies[name], strict=True)]
        applies[step.name] = own
    return {name: sum(items) for name, items in applies.items()}


def _own_items(recipe: Recipe, pipeline: Pipeline, step: Step) -> list[bool] | None:
    """Return for each item whether `when` may be true, as far as known before the run; None without `when`."""
    if step.when is None:
        return None
    scope = dict(recipe.base_scope())
    items = ({"item_index": index, "item_id": pipeline.item_id(index)} for index in range(pipeline.source.num_items))
    return [step.when.holds({**scope, **item}, _KNOWN_BEFORE) is not False for item in items]
