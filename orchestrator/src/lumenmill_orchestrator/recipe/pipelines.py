"""Compiles one pipeline: its source, its steps in order of execution, its samples."""

from lumenmill_orchestrator.recipe.context import INT, PipelineContext
from lumenmill_orchestrator.recipe.document import Located
from lumenmill_orchestrator.recipe.graph import find_cycle, ordered
from lumenmill_orchestrator.recipe.limits import MAX_ITEMS
from lumenmill_orchestrator.recipe.model import Pipeline, Source, Step
from lumenmill_orchestrator.recipe.samples import compile_samples
from lumenmill_orchestrator.recipe.steps import compile_call, compile_steps
from lumenmill_orchestrator.recipe.types import UNRESOLVED, TypeKind, message_type, record_type, scalar_type

__all__ = ["compile_pipeline"]

_SOURCE_KEYS = ("call", "model", "with", "items", "count", "batch_size", "timeout_s")
_DEFAULT_BATCH_SIZE = 64
_LARGEST_BATCH_SIZE = 1000
_BATCH = record_type({"first": INT, "count": INT})


def compile_pipeline(name: str, body: Located, context: PipelineContext) -> Pipeline | None:
    """Compile `{source, steps, samples}`; None, with problems, when it has no usable source or a cycle.

    Without a usable source, steps and samples are checked all the same.
    """
    if not body.is_mapping:
        context.problems.add(body, "a pipeline is a mapping with `source`, `steps` and `samples`")
        return None
    source = _compile_source(body, context)
    context.types |= {
        "item": UNRESOLVED if source is None else source.items.type.element(),
        "item_index": INT,
        "item_id": scalar_type(TypeKind.STRING),
    }
    steps = compile_steps(body.get("steps"), context)
    samples = compile_samples(body.get("samples"), context)
    if not samples and body.get("samples") is None:
        context.problems.add(body, "a pipeline without `samples` makes nothing; say what becomes a sample")
    in_order = _in_order(steps, context)
    return None if source is None or in_order is None else Pipeline(name, source, tuple(in_order), tuple(samples))


def _compile_source(body: Located, context: PipelineContext) -> Source | None:
    where = body.get("source")
    if where is None or not where.is_mapping:
        context.problems.add(where or body, "a pipeline needs a `source`: a call with `items`, or `items` alone")
        return None
    context.problems.unknown_keys(where, _SOURCE_KEYS)
    if where.get("call") is None:
        return _compile_list(where, context)
    call = compile_call("source", where, {**context.types, "batch": _BATCH}, context)
    result = UNRESOLVED if call is None else message_type(call.method.result)
    items = context.list_reference(where, "items", {**context.types, "result": result})
    count, batch_size = context.constant_int(where, "count", 0, MAX_ITEMS), _batch_size(where, context)
    return None if call is None or items is None or count is None else Source(items, call, count, batch_size)


def _compile_list(where: Located, context: PipelineContext) -> Source | None:
    """Compile a source whose items are given as a list."""
    items = context.list_reference(where, "items", context.types)
    if items is None:
        return None
    return Source(items, None, len(items.evaluate(context.scope)), _batch_size(where, context))


def _batch_size(where: Located, context: PipelineContext) -> int:
    if where.get("batch_size") is None:
        return _DEFAULT_BATCH_SIZE
    size = context.constant_int(where, "batch_size", minimum=1) or _DEFAULT_BATCH_SIZE
    return min(size, _LARGEST_BATCH_SIZE)


def _in_order(steps: list[Step], context: PipelineContext) -> list[Step] | None:
    """Return the steps in an order in which each comes after those that it waits for; None when there is a cycle."""
    by_name = {step.name: step for step in steps}
    depends_on = {step.name: [name for name in step.depends_on() if name in by_name] for step in steps}
    cycle = find_cycle(depends_on)
    if cycle:
        path = " → ".join(f"`{name}`" for name in cycle)
        context.problems.add(by_name[cycle[0]].where, f"steps wait for each other: {path}")
        return None
    return [by_name[name] for name in ordered(list(by_name), depends_on)]
