"""The workflows of a run: run → batch → item, in this order.

A run executes its batches, a few at a time; a batch expands the source and starts the workflows of its items; an item
executes its steps. Each may be executed again after a crash, by any replica, and continues where the last execution was
interrupted: it reads first what has ended.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.execution.active_runs import ActiveRuns, RunFailedError
from lumenmill_orchestrator.execution.durable_engine import DurableEngine, is_new_workflow, workflow
from lumenmill_orchestrator.execution.item import Item, ItemExecution
from lumenmill_orchestrator.execution.resume_state import read_resume_state
from lumenmill_orchestrator.execution.run_ends import has_only_failures
from lumenmill_orchestrator.execution.samples import SAMPLES_COUNTED_AS, count_samples, sample_rows, samples_of
from lumenmill_orchestrator.execution.sources import SourceExpander
from lumenmill_orchestrator.execution.step_executor import StepExecutor
from lumenmill_orchestrator.recipe import Pipeline, Recipe
from lumenmill_orchestrator.storage import (
    UNFINISHED_STATES,
    CountDelta,
    ExecutionStore,
    GroupWriter,
    Rows,
    RunStore,
    StepTotals,
    is_database_unavailable,
    query,
)
from lumenmill_orchestrator.storage.schema import items

__all__ = ["ITEMS_COUNTED_AS", "Workflows"]

ITEMS_COUNTED_AS = "#items"
# How often a batch reads the ends of items that other replicas may execute.
_READ_ENDS_S = 2.0
_RUNNING, _QUEUED = run_pb2.RUN_STATE_RUNNING, frozenset({run_pb2.RUN_STATE_QUEUED})
_log = get_logger(__name__)


class Workflows:
    """The three workflows, and what they need."""

    def __init__(
        self,
        durable: DurableEngine,
        active: ActiveRuns,
        runs: RunStore,
        executions: ExecutionStore,
        writer: GroupWriter,
        executor: StepExecutor,
        num_active_batches: int,
    ) -> None:
        """`num_active_batches` of a run are executed at once."""
        self._durable, self._active, self._runs, self._executions = durable, active, runs, executions
        self._writer, self._executor, self._num_active_batches = writer, executor, num_active_batches
        self._sources = SourceExpander(executor, writer, executions)

    @contextlib.asynccontextmanager
    async def executing(self) -> AsyncIterator[None]:
        """Execute runs inside the block: unfinished ones continue, submitted ones start."""
        await self._durable.launch(self)
        try:
            for row in await query(self._runs.unfinished):
                await self.start(row.id)
            yield
        finally:
            await self._durable.close()

    async def start(self, run_id: str, recipe: Recipe | None = None) -> None:
        """Start the workflow of a stored run; do nothing when there is one. `recipe` is the run's, where the caller has
        compiled it."""
        if recipe is not None:
            self._active.add_compiled(run_id, recipe)
        await self._durable.start(self.run, f"run:{run_id}", run_id)

    # The run.

    @workflow
    async def run(self, run_id: str) -> None:
        """Execute all batches of a run, and store how the run ended.

        Raises:
            NotFoundError: no such run is stored.
            sqlalchemy.exc.SQLAlchemyError: the database is unavailable.
        """
        row = await query(self._runs.get, run_id)
        if row.ended:
            return
        try:
            run = await self._active.load(run_id)
            await query(self._runs.change_state, run_id, _RUNNING, only_from=_QUEUED)
            await self._execute_batches(run)
            await query(self._end, run)
        except Exception as error:
            if is_database_unavailable(error):
                raise
            _log.error("a run failed", run=run_id, exc_info=error)
            await self._fail(run_id, _reason(error))
        self._active.drop(run_id)

    async def _execute_batches(self, run: ActiveRun) -> None:
        window = asyncio.Semaphore(self._num_active_batches)

        async def execute(pipeline: str, first: int, count: int) -> None:
            workflow_id = f"batch:{run.id}:{pipeline}:{first}"
            try:
                await run.unless_stopped(
                    self._durable.execute_anywhere(self.batch, workflow_id, run.id, pipeline, first, count)
                )
            finally:
                window.release()

        async with asyncio.TaskGroup() as group:
            for pipeline in run.recipe.pipelines:
                for first, count in pipeline.source.batches():
                    await window.acquire()
                    if run.stopped.is_set():
                        return
                    group.create_task(execute(pipeline.name, first, count))

    def _end(self, run: ActiveRun) -> None:
        """Store how a run ended whose batches have all ended; one that was stopped has its state already."""
        recipe, totals = run.recipe, self._runs.totals(run.id)
        names = [recipe.qualified(pipeline, step.name) for pipeline in recipe.pipelines for step in pipeline.steps]
        steps = [totals.get(name, StepTotals()) for name in names]
        items, samples = (totals.get(name, StepTotals()) for name in (ITEMS_COUNTED_AS, SAMPLES_COUNTED_AS))
        state, error = run_pb2.RUN_STATE_COMPLETED, ""
        if has_only_failures(steps, items, samples):
            first = self._runs.item_error(run.id) or self._executions.first_failure(run.id)
            state, error = run_pb2.RUN_STATE_FAILED, f"nothing was made; the first failure: {first}"
        self._runs.change_state(run.id, state, only_from=UNFINISHED_STATES, error=error)

    async def _fail(self, run_id: str, error: str) -> None:
        await query(self._runs.change_state, run_id, run_pb2.RUN_STATE_FAILED, only_from=UNFINISHED_STATES, error=error)
        await self._active.apply_state(run_id, run_pb2.RUN_STATE_FAILED)

    # The batch.

    @workflow
    async def batch(self, run_id: str, pipeline_name: str, first: int, count: int) -> None:
        """Expand one batch of a source, start the workflows of its items, and return when all of them have ended.

        Where the source fails or the end of an item cannot be stored, the run fails.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is unavailable.
        """
        try:
            run = await self._active.load(run_id)
            if not run.stopped.is_set():
                await self._execute_batch(run, run.pipeline(pipeline_name), first, count)
        except RunFailedError as error:
            await self._fail(run_id, str(error))

    async def _execute_batch(self, run: ActiveRun, pipeline: Pipeline, first: int, count: int) -> None:
        expanded = await run.unless_stopped(self._sources.expand(run, pipeline, first, count))
        if expanded is None:
            return
        ids = {pipeline.item_id(index): index for index in range(first, first + len(expanded.items))}
        # The futures are created before the table is read, so that no end is missed between.
        ends = {index: run.item_end(item_id) for item_id, index in ids.items()}
        ended = await query(self._runs.ended_items, run.id, list(ids))
        for item_id, index in ids.items():
            if item_id in ended:
                run.report_item_end(item_id)
            elif not run.stopped.is_set():
                workflow_id = _item_workflow(run, pipeline, index)
                await self._durable.start(self.item, workflow_id, run.id, pipeline.name, index)
        await run.unless_stopped(self._wait_for_items(run, pipeline, ends))
        await self._check_ends(run, pipeline, ids)
        for item_id in ids:
            run.item_ends.pop(item_id, None)
        run.batches.pop((pipeline.name, first), None)

    async def _wait_for_items(
        self, run: ActiveRun, pipeline: Pipeline, ends: "dict[int, asyncio.Future[None]]"
    ) -> None:
        """Return when items have ended. Those that this process executes report it; those that were recovered after a
        crash may be executed by another replica, and are read from the database."""
        while ends:
            await asyncio.wait(ends.values(), timeout=_READ_ENDS_S)
            ends = {index: end for index, end in ends.items() if not end.done()}
            if ends:
                ids = {_item_workflow(run, pipeline, index): index for index in ends}
                unfinished = await self._durable.unfinished(ids)
                for workflow_id in ids.keys() - unfinished:
                    run.report_item_end(pipeline.item_id(ids[workflow_id]))

    async def _check_ends(self, run: ActiveRun, pipeline: Pipeline, ids: Mapping[str, int]) -> None:
        """Check that the ends of all items, by id, are stored.

        Raises:
            RunFailedError: one is not, although its workflow has ended; the message has the error of the workflow.
        """
        ended = await query(self._runs.ended_items, run.id, list(ids))
        lost = [item_id for item_id in ids if item_id not in ended]
        if lost and not run.stopped.is_set():
            error = await self._durable.error_of(_item_workflow(run, pipeline, ids[lost[0]]))
            raise RunFailedError(f"the end of item `{lost[0]}` could not be stored: {_reason(error)}")

    # The item.

    @workflow
    async def item(self, run_id: str, pipeline_name: str, index: int) -> None:
        """Execute the steps of one item, and store its samples and its end.

        An item that raises ends with a reason, and its run continues; where its source fails, the run fails.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is unavailable, or the end could not be stored.
        """
        try:
            run = await self._active.load(run_id)
            await self._execute_item(run, run.pipeline(pipeline_name), index)
        except RunFailedError as error:
            await self._fail(run_id, str(error))

    async def _execute_item(self, run: ActiveRun, pipeline: Pipeline, index: int) -> None:
        item_id = pipeline.item_id(index)
        if not is_new_workflow():
            run.resumed_items.add(item_id)
        try:
            await self._execute_until_end(run, pipeline, index)
        except BaseException:
            run.resumed_items.add(item_id)  # executed again, it has jobs to find
            raise
        # Not reported after an error, since the item may be executed again; otherwise the batch reads its end.
        run.report_item_end(item_id)
        run.resumed_items.discard(item_id)

    async def _execute_until_end(self, run: ActiveRun, pipeline: Pipeline, index: int) -> None:
        item_id = pipeline.item_id(index)
        try:
            has_ended = await query(self._runs.ended_items, run.id, [item_id])
            if has_ended or run.stopped.is_set():
                return
            item = await self._item(run, pipeline, index)
            await run.unless_stopped(self._execute_steps(item))
        except RunFailedError:
            raise
        except Exception as error:
            if is_database_unavailable(error):
                raise
            _log.error("an item failed", run=run.id, item=item_id, exc_info=error)
            await self._end_item(run, item_id, Rows(), reason=_reason(error))

    async def _item(self, run: ActiveRun, pipeline: Pipeline, index: int) -> Item:
        """Return an item, with its batch expanded where that was done before a crash."""
        first = index - index % pipeline.source.batch_size
        count = min(pipeline.source.batch_size, pipeline.source.num_items - first)
        expanded = await self._sources.expand(run, pipeline, first, count)
        return Item(run, pipeline, index, expanded.items[index - first])

    async def _execute_steps(self, item: Item) -> None:
        resumed = await query(read_resume_state, self._executions, item.run.id, item.id)
        execution = ItemExecution(item, self._executor, self._writer, resumed)
        await execution.execute()
        made = await samples_of(execution)
        await self._end_item(item.run, item.id, sample_rows(made))
        count_samples(made)
        execution.costs.report()

    async def _end_item(self, run: ActiveRun, item_id: str, rows: Rows, reason: str = "") -> None:
        rows.add_guard(items, run_id=run.id, item_id=item_id, end_time=time.time(), reason=reason)
        rows.counts.append(CountDelta(run.id, ITEMS_COUNTED_AS, {"num_failed" if reason else "num_accepted": 1}))
        await self._writer.write(rows)
        run.changed.set()


def _reason(error: BaseException | None) -> str:
    """Return the reason to store for an error: of a group, that of its first error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is None:
        return "its workflow has no error"
    return str(error) if isinstance(error, RunFailedError) else f"{type(error).__name__}: {error}"


def _item_workflow(run: ActiveRun, pipeline: Pipeline, index: int) -> str:
    return f"item:{run.id}:{pipeline.name}:{index}"
