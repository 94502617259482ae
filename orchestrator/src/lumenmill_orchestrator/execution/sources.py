"""Sources: the items of one batch, from a call or from a list that is given."""

import asyncio
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2

from lumenmill_orchestrator.execution.active_run import ActiveRun, ExpandedBatch
from lumenmill_orchestrator.execution.active_runs import RunFailedError
from lumenmill_orchestrator.execution.keys import derived_seed
from lumenmill_orchestrator.execution.licences import records_in
from lumenmill_orchestrator.execution.outcomes import Outcome
from lumenmill_orchestrator.execution.recording import StepInstance, record_computed
from lumenmill_orchestrator.execution.resume_state import ResumeState
from lumenmill_orchestrator.execution.retrying_call import StepCall
from lumenmill_orchestrator.execution.step_executor import StepExecutor
from lumenmill_orchestrator.recipe import MISSING, Pipeline, Step
from lumenmill_orchestrator.storage import ExecutionStore, GroupWriter, query

__all__ = ["SourceExpander", "source_item_id"]


def source_item_id(pipeline_name: str) -> str:
    """Return the item id of the executions of a pipeline's source; their instance is the first item of the batch."""
    return f"{pipeline_name}-source"


class SourceExpander:
    """Expands sources batch by batch, so that memory does not grow with the run."""

    def __init__(self, executor: StepExecutor, writer: GroupWriter, executions: ExecutionStore) -> None:
        self._executor, self._writer, self._executions = executor, writer, executions

    async def expand(self, run: ActiveRun, pipeline: Pipeline, first: int, count: int) -> ExpandedBatch:
        """Return the items `first` to `first + count`, expanded once however many items ask.

        Where the source yields fewer, the run has fewer items.

        Raises:
            RunFailedError: the call failed.
        """
        key = (pipeline.name, first)
        task = run.batches.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = run.batches[key] = asyncio.create_task(self._expand(run, pipeline, first, count))
        return await asyncio.shield(task)

    async def _expand(self, run: ActiveRun, pipeline: Pipeline, first: int, count: int) -> ExpandedBatch:
        scope = {**run.recipe.base_scope(), "batch": {"first": first, "count": count}}
        call = pipeline.source.call
        if call is None:
            return ExpandedBatch(list(pipeline.source.items.evaluate(scope))[first : first + count], [])
        outcome = await self._outcome(run, pipeline, call, scope, first)
        if outcome.result is None or not outcome.accepted:
            raise RunFailedError(f"the source of `{pipeline.name}` failed: {outcome.reason}")
        items = _items(pipeline, scope, outcome)
        own = records_in(items)
        return ExpandedBatch(items, [record for record in records_in(outcome.result) if record not in own])

    async def _outcome(
        self, run: ActiveRun, pipeline: Pipeline, call: Step, scope: dict[str, Any], first: int
    ) -> Outcome:
        """Return how the source's call has ended, now or before."""
        step_name = run.recipe.qualified(pipeline, call.name)
        instance = StepInstance(run.id, source_item_id(pipeline.name), call, step_name, first)
        earlier = await query(self._earlier, instance)
        if earlier is not None and earlier.accepted:
            return earlier
        request = _request(run, pipeline, call, scope)
        # Whether the batch is executed for the first time is not known, and one query serves all of its items.
        step_call = StepCall(run, call, step_name, request, run.call_priority(first), may_have_started=True)
        made = await self._executor.compute(step_call)
        if made.result is None:
            reason = f"{made.error.code.name}: {made.error.message}" if made.error else "no result"
            return Outcome(run_pb2.VERDICT_FAILED, reason)
        outcome = Outcome(run_pb2.VERDICT_ACCEPTED, "", made.result)
        rows = record_computed(instance, made, outcome, [])
        num_missing = scope["batch"]["count"] - len(_items(pipeline, scope, outcome))
        if num_missing:
            rows.num_missing_items[run.id] = num_missing
        await self._writer.write(rows)
        return outcome

    def _earlier(self, instance: StepInstance) -> Outcome | None:
        step, index = instance.step, instance.index
        row = self._executions.one(instance.run_id, instance.item_id, step.name, index)
        if row is None:
            return None
        return ResumeState({(step.name, index): row}, self._executions.results([row.content_key])).outcome(step, index)


def _request(run: ActiveRun, pipeline: Pipeline, call: Step, scope: dict[str, Any]) -> Any:
    try:
        request: Any = call.request.build(scope)
    except (TypeError, ValueError) as error:  # a value that the field cannot hold
        raise RunFailedError(f"the request of the source of `{pipeline.name}` cannot be made: {error}") from error
    if call.takes_derived_seed:
        request.seed = derived_seed(run.recipe.seed, pipeline.name, "source")
    return request


def _items(pipeline: Pipeline, scope: dict[str, Any], outcome: Outcome) -> list[Any]:
    found = pipeline.source.items.evaluate({**scope, "result": outcome.result})
    return [] if found is MISSING else list(found)[: scope["batch"]["count"]]
