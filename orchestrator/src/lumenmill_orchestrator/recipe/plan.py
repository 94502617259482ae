"""Plans a recipe: executions by step, and an estimate of the time that they take."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.recipe.conditions import Condition
from lumenmill_orchestrator.recipe.graph import graph_dot, graph_mermaid
from lumenmill_orchestrator.recipe.model import CheckedRecipe, FanOut, Pipeline, PlannedCall, Recipe
from lumenmill_orchestrator.recipe.parameters import plain_parameters
from lumenmill_orchestrator.recipe.references import MISSING, Reference, Scope
from lumenmill_orchestrator.recipe.work_limit import WorkLimit

__all__ = ["planned_calls", "recipe_plan"]

_KNOWN_BEFORE = frozenset({"params", "item_index", "item_id", "models"})
_ASSUMED_ELEMENTS = 1
_CHECK_EVERY = 1000
# Fields of requests that say how long a list of the result is, where the names of both differ.
_LENGTH_FIELDS = {
    "images": "num_images",
    "maps": "kinds",
    "motion_prompts": "num_variants",
    "relight_prompts": "num_variants",
}


@dataclass(frozen=True)
class _ItemClass:
    """Items for which no condition differs, and what is known before the run of one of them."""

    num_items: int
    scope: Scope


def planned_calls(recipe: Recipe, limit: WorkLimit) -> list[PlannedCall]:
    """Return the steps in order of execution with their number of executions in the whole run.

    A fan-out counts the elements of its list where they are known before the run, and those of the step that it is
    aligned with; `at_most` limits them. Of a list of unknown length it counts `at_most`, otherwise one element.

    Raises:
        CancelledError, DeadlineExceededError: of the limit.
    """
    found: list[PlannedCall] = []
    for pipeline in recipe.pipelines:
        if pipeline.source.call is not None:
            call = pipeline.source.call
            name = recipe.qualified(pipeline, call.name)
            found.append(PlannedCall(name, call.method.call, call.model_name, pipeline.source.num_batches, ()))
        widths = _widths(recipe, pipeline, limit)
        items = _items_of_steps(recipe, pipeline, limit)
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


def recipe_plan(
    checked: CheckedRecipe, seconds_of: Callable[[PlannedCall], float | None], num_workers: Mapping[str, int]
) -> run_pb2.PlanRecipeResponse:
    """Return what a recipe would do, or what is wrong with it.

    Args:
        checked: the recipe.
        seconds_of: the measured duration of one execution; None where there is none yet.
        num_workers: calls that a model executes at once, by its name; models without an entry execute one.
    """
    recipe = checked.recipe
    if recipe is None:
        return run_pb2.PlanRecipeResponse(problems=checked.problems)
    measured = [(call, seconds_of(call)) for call in checked.calls]
    response = run_pb2.PlanRecipeResponse(
        steps=[_planned_step(call, seconds) for call, seconds in measured],
        num_items=recipe.num_items,
        graph_dot=graph_dot(recipe),
        graph_mermaid=graph_mermaid(recipe),
    )
    response.parameters.update(plain_parameters(recipe.parameters))
    whole_s = _estimated_seconds(measured, num_workers)
    if whole_s is not None:
        response.estimated_time.FromMilliseconds(int(whole_s * 1000))
    return response


def _planned_step(call: PlannedCall, seconds: float | None) -> run_pb2.PlannedStep:
    return run_pb2.PlannedStep(
        name=call.name,
        call=call.call,
        model=call.model,
        num_executions=call.num_executions,
        seconds_per_execution=seconds,
        depends_on=call.depends_on,
    )


def _estimated_seconds(
    measured: list[tuple[PlannedCall, float | None]], num_workers: Mapping[str, int]
) -> float | None:
    """Return the seconds of work of the busiest model; None when some step has not been measured yet."""
    load_s: dict[str, float] = defaultdict(float)
    for call, seconds in measured:
        if seconds is None and call.num_executions:
            return None
        load_s[call.model] += (seconds or 0.0) * call.num_executions
    return max((load / max(num_workers.get(model, 1), 1) for model, load in load_s.items()), default=0.0)


def _widths(recipe: Recipe, pipeline: Pipeline, limit: WorkLimit) -> dict[str, int]:
    """Return an upper bound of the instances of every step in one item."""
    widths: dict[str, int] = {}
    for step in pipeline.steps:
        limit.check()
        fan_out = step.fan_out
        widths[step.name] = 1 if fan_out is None else _width(fan_out, widths, recipe, pipeline)
    return widths


def _width(fan_out: FanOut, widths: Mapping[str, int], recipe: Recipe, pipeline: Pipeline) -> int:
    if fan_out.aligned_step is not None:
        known: int | None = widths[fan_out.aligned_step]
    else:
        known = _num_elements(fan_out.elements, recipe, pipeline)
    if known is None:
        return _ASSUMED_ELEMENTS if fan_out.at_most is None else fan_out.at_most
    return known if fan_out.at_most is None else min(known, fan_out.at_most)


def _num_elements(elements: Reference, recipe: Recipe, pipeline: Pipeline) -> int | None:
    """Return the length of a list where it is known before the run, for given items the largest.

    The list of a result is as long as that of the same name in the request, such as `variants` of Relight, or as the
    request says by one of `_LENGTH_FIELDS`.
    """
    if all(root in ("params", "item") for root in elements.roots()):
        return _num_given(elements, recipe, pipeline)
    step = next((step for step in pipeline.steps if step.name == elements.root), None)
    if step is None or step.fan_out is not None or len(elements.segments) != 1:
        return None
    name = elements.segments[0].name
    # 0 and an empty list mean the default of the model.
    found = step.request.num_elements.get(_LENGTH_FIELDS.get(name, name)) or None
    return _num_elements(found, recipe, pipeline) if isinstance(found, Reference) else found


def _num_given(elements: Reference, recipe: Recipe, pipeline: Pipeline) -> int | None:
    scope = dict(recipe.base_scope())
    if "item" not in elements.roots():
        return _length(elements.evaluate(scope))
    if pipeline.source.call is not None:
        return None
    items = pipeline.source.items.evaluate(scope)
    return max((_length(elements.evaluate({**scope, "item": item})) for item in items), default=0)


def _length(value: Any) -> int:
    return 0 if value is MISSING else len(value)


def _items_of_steps(recipe: Recipe, pipeline: Pipeline, limit: WorkLimit) -> dict[str, int]:
    """Return the number of items that execute each step: all, unless its `when` or an earlier step's excludes some.

    Items for which no condition can differ are evaluated once, so that a run of any size is planned at once.
    """
    classes = _item_classes(recipe, pipeline)
    everywhere = _bits([True] * len(classes))
    applies: dict[str, int] = {}
    for step in pipeline.steps:
        limit.check()
        own = everywhere if step.when is None else _own_items(recipe, step.when, classes, limit)
        for name in step.depends_on():
            own &= applies[name]
        applies[step.name] = own
    sizes = [each.num_items for each in classes]
    return {name: sum(compress(sizes, bits.to_bytes(len(sizes), "big"))) for name, bits in applies.items()}


def _item_classes(recipe: Recipe, pipeline: Pipeline) -> list[_ItemClass]:
    """Return the items of a pipeline grouped so that every `when` holds for all items of a class or for none."""
    scope, source = recipe.base_scope(), pipeline.source
    conditions = [step.when for step in pipeline.steps if step.when is not None]
    is_given = source.call is None
    if is_given and any("item" in reference.roots() for each in conditions for reference in each.references):
        given = source.items.evaluate(scope)
        return [_ItemClass(1, {**_identity(pipeline, index), "item": item}) for index, item in enumerate(given)]
    turns = {index for each in conditions for index in each.turning_points(scope) if 0 < index < source.num_items}
    starts = [0, *sorted(turns)] if source.num_items else []
    ends = [*starts[1:], source.num_items]
    return [_ItemClass(end - start, _identity(pipeline, start)) for start, end in zip(starts, ends, strict=False)]


def _identity(pipeline: Pipeline, index: int) -> dict[str, Any]:
    return {"item_index": index, "item_id": pipeline.item_id(index)}


def _own_items(recipe: Recipe, when: Condition, classes: Sequence[_ItemClass], limit: WorkLimit) -> int:
    """Return for each class whether `when` may be true, as far as known before the run."""
    base, found = recipe.base_scope(), []
    for number, each in enumerate(classes):
        if number % _CHECK_EVERY == 0:
            limit.check()
        found.append(when.holds({**base, **each.scope}, _KNOWN_BEFORE | each.scope.keys()) is not False)
    return _bits(found)


def _bits(flags: Sequence[bool]) -> int:
    """Return flags as one number with a byte for each: small, and quick to combine."""
    return int.from_bytes(bytes(flags), "big")
