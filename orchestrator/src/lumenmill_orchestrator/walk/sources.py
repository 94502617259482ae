"""Sources: the items of one batch, from a call or from a list that was given."""

import asyncio
from functools import partial
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2

from lumenmill_orchestrator.recipe import MISSING, Pipeline, Step
from lumenmill_orchestrator.storage import ExecutionStore, GroupWriter, patiently
from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.execution import StepExecutor, Turn
from lumenmill_orchestrator.walk.item import Earlier
from lumenmill_orchestrator.walk.keys import derived_seed
from lumenmill_orchestrator.walk.outcomes import Outcome
from lumenmill_orchestrator.walk.recording import Place, record_computed
from lumenmill_orchestrator.walk.terms import records_in

__all__ = ["SourceExpander", "SourceFailedError", "source_item_id"]


class SourceFailedError(Exception):
    """A source could not be expanded; the run cannot go on."""


def source_item_id(pipeline_name: str) -> str:
    """The item under which executions of a pipeline's source are kept; the instance is the batch's first index."""
    return f"{pipeline_name}-source"


class SourceExpander:
    """Expands sources batch by batch, so that nothing grows with the run."""

    def __init__(self, executor: StepExecutor, writer: GroupWriter, executions: ExecutionStore) -> None:
        self._executor, self._writer, self._executions = executor, writer, executions

    async def items(self, run: ActiveRun, pipeline: Pipeline, first: int, count: int) -> list[Any]:
        """The items of items `first` to `first + count`; where the source gives fewer, the run has fewer items.

        Raises:
            SourceFailedError: the call failed.
        """
        scope = {**run.recipe.base_scope(), "batch": {"first": first, "count": count}}
        call = pipeline.source.call
        if call is None:
            return list(pipeline.source.items.evaluate(scope))[first : first + count]
        outcome = await self._outcome(run, pipeline, call, scope, first)
        if outcome.result is None or not outcome.accepted:
            raise SourceFailedError(f"the source of `{pipeline.name}` failed: {outcome.reason}")
        items = _items(pipeline, scope, outcome)
        own = records_in(items)
        run.source_records[pipeline.name, first] = [each for each in records_in(outcome.result) if each not in own]
        return items

    async def _outcome(
        self, run: ActiveRun, pipeline: Pipeline, call: Step, scope: dict[str, Any], first: int
    ) -> Outcome:
        """How the source's call has ended, now or before."""
        item_id = source_item_id(pipeline.name)
        earlier = await asyncio.to_thread(patiently, partial(self._earlier, run.id, item_id, call, first))
        if earlier is not None and earlier.accepted:
            return earlier
        counted_as = run.recipe.qualified(pipeline, call.name)
        try:
            request: Any = call.request.build(scope)
        except (TypeError, ValueError) as error:  # a value that the field cannot hold
            raise SourceFailedError(
                f"the request of the source of `{pipeline.name}` cannot be made: {error}"
            ) from error
        if call.takes_derived_seed:
            request.seed = derived_seed(run.recipe.seed, pipeline.name, "source")
        # Where a batch is walked for the first time is not known here, and it is one question for all of its items.
        turn = Turn(counted_as, (-run.priority, run.seq, first), may_have_begun=True)
        made = await self._executor.compute(run, call, request, turn)
        if made.result is None:
            reason = f"{made.error.code.name}: {made.error.message}" if made.error else "no result"
            return Outcome(run_pb2.VERDICT_FAILED, reason)
        outcome = Outcome(run_pb2.VERDICT_ACCEPTED, "", made.result)
        place = Place(run.id, item_id, call, counted_as, first)
        rows = record_computed(place, made, outcome, [])
        num_missing = scope["batch"]["count"] - len(_items(pipeline, scope, outcome))
        if num_missing:
            rows.num_missing_items[run.id] = num_missing
        await self._writer.write(rows)
        return outcome

    def _earlier(self, run_id: str, item_id: str, call: Step, first: int) -> Outcome | None:
        row = self._executions.one(run_id, item_id, call.name, first)
        if row is None:
            return None
        rows = {(row.step, row.instance): row}
        return Earlier(rows, self._executions.results([row.content_key])).outcome(call, first)


def _items(pipeline: Pipeline, scope: dict[str, Any], outcome: Outcome) -> list[Any]:
    found = pipeline.source.items.evaluate({**scope, "result": outcome.result})
    return [] if found is MISSING else list(found)[: scope["batch"]["count"]]
