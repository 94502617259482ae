"""Sources: the items of one batch, from a call or from a list that is given."""

import asyncio
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.execution.active_run import ActiveRun, ExpandedBatch
from lumenmill_orchestrator.execution.active_runs import RunFailedError
from lumenmill_orchestrator.execution.outcomes import Outcome
from lumenmill_orchestrator.execution.recording import computed_rows, count_computed
from lumenmill_orchestrator.execution.records import records_in
from lumenmill_orchestrator.execution.resume_state import ResumeState
from lumenmill_orchestrator.execution.step_call import StepCall, StepInstance, build_request
from lumenmill_orchestrator.execution.step_executor import StepExecutor
from lumenmill_orchestrator.recipe import MISSING, Pipeline
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
        if pipeline.source.call is None:
            return ExpandedBatch(list(pipeline.source.items.evaluate(scope))[first : first + count], [])
        step_name = run.recipe.qualified(pipeline, pipeline.source.call.name)
        instance = StepInstance(run, source_item_id(pipeline.name), pipeline.source.call, step_name, first)
        outcome = await query(self._earlier, instance)
        if outcome is None or not outcome.accepted:
            outcome = await self._outcome(instance, pipeline, scope)
        items = _items(pipeline, scope, outcome)
        own = records_in(items)
        return ExpandedBatch(items, [record for record in records_in(outcome.result) if record not in own])

    async def _outcome(self, instance: StepInstance, pipeline: Pipeline, scope: dict[str, Any]) -> Outcome:
        """Return how the source's call ends.

        Raises:
            RunFailedError: it failed, or its request cannot be made.
        """
        run = instance.run
        try:
            request = build_request(run, pipeline, instance.step, scope, "source")
        except (TypeError, ValueError) as error:  # a value that the field cannot hold
            raise RunFailedError(f"the request of the source of `{pipeline.name}` cannot be made: {error}") from error
        # Whether the batch is executed for the first time is not known, and one query serves all of its items.
        call = StepCall(instance, request, run.place(instance.index), may_have_started=True)
        async with self._executor.compute(call) as made:
            if made.result is None:
                raise RunFailedError(f"the source of `{pipeline.name}` failed: {made.failure}")
            outcome = Outcome(run_pb2.VERDICT_ACCEPTED, "", made.result)
            rows = computed_rows(instance, made, outcome, [])
            num_missing = scope["batch"]["count"] - len(_items(pipeline, scope, outcome))
            if num_missing:
                rows.num_missing_items[run.id] = num_missing
            await self._writer.write(rows)
            count_computed(instance, made, outcome)
        return outcome

    def _earlier(self, instance: StepInstance) -> Outcome | None:
        step, index = instance.step, instance.index
        row = self._executions.one(instance.run.id, instance.item_id, step.name, index)
        if row is None:
            return None
        return ResumeState({(step.name, index): row}, self._executions.results([row.content_key])).outcome(step, index)


def _items(pipeline: Pipeline, scope: dict[str, Any], outcome: Outcome) -> list[Any]:
    found = pipeline.source.items.evaluate({**scope, "result": outcome.result})
    return [] if found is MISSING else list(found)[: scope["batch"]["count"]]
