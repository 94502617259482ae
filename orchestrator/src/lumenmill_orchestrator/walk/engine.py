"""Runs from submission to their end: expanding sources into items, walking items, following what callers ask for."""

import asyncio
import contextlib
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from lumenmill.common.v1 import model_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import LumenmillError, UnavailableError
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.mesh import Mesh
from lumenmill_orchestrator.recipe import KnownModel, Pipeline, check_recipe
from lumenmill_orchestrator.storage import (
    ENDED_STATES,
    UNFINISHED_STATES,
    CountDelta,
    ExecutionStore,
    GroupWriter,
    Rows,
    RunRow,
    RunStore,
    is_database_unavailable,
    patiently,
)
from lumenmill_orchestrator.storage.schema import items
from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.durable import DurableWalk, Walkers
from lumenmill_orchestrator.walk.execution import StepExecutor
from lumenmill_orchestrator.walk.item import Earlier, ItemWalk
from lumenmill_orchestrator.walk.sampling import SAMPLES_COUNTED_AS, sample_rows
from lumenmill_orchestrator.walk.sources import SourceExpander, SourceFailedError

__all__ = ["ITEMS_COUNTED_AS", "RunEngine"]

ITEMS_COUNTED_AS = "#items"
_FOLLOW_S = 1.0
# How often a batch asks for the ends of items that other replicas may walk.
_LOOK_EVERY_S = 2.0
_log = get_logger(__name__)


class RunEngine:
    """Walks runs. One per process."""

    def __init__(
        self,
        mesh: Mesh,
        runs: RunStore,
        executions: ExecutionStore,
        writer: GroupWriter,
        executor: StepExecutor,
        num_active_batches: int,
    ) -> None:
        self._mesh, self._runs, self._executions = mesh, runs, executions
        self._writer, self._executor, self._num_active_batches = writer, executor, num_active_batches
        self._sources = SourceExpander(executor, writer, executions)
        self._active: dict[str, asyncio.Task[ActiveRun]] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self._items: OrderedDict[tuple[str, str, int], asyncio.Task[list[Any]]] = OrderedDict()
        self._queued: dict[str, bool] = {}
        self._durable: DurableWalk | None = None

    @contextlib.asynccontextmanager
    async def walking(self, database_url: str, executor_id: str) -> AsyncIterator[DurableWalk]:
        """Walk inside the block: unfinished runs go on, submitted ones start."""
        walkers = Walkers(self._walk_run, self._walk_batch, self._walk_item)
        self._durable = await asyncio.to_thread(DurableWalk, database_url, executor_id, walkers)
        await self._durable.launch()
        following = asyncio.create_task(self._follow_states())
        try:
            for row in await asyncio.to_thread(patiently, self._runs.unfinished):
                await self._durable.start_run(row.id)
            yield self._durable
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await self._durable.close()

    async def start(self, run_id: str) -> None:
        """Start a run that was stored."""
        await self._started().start_run(run_id)

    def active(self, run_id: str) -> ActiveRun | None:
        """A run while this process walks it."""
        task = self._active.get(run_id)
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    async def follow(self, run_id: str, state: "run_pb2.RunState.ValueType") -> None:
        """Do at once as the new state of a run says; cancelled jobs are ended at their services."""
        if state in ENDED_STATES:
            self._end_of(run_id).set()
        run = self.active(run_id)
        if run is None:
            return
        jobs = {request_id: list(endpoints) for request_id, endpoints in run.jobs.items()}
        run.follow(state)
        if not run.unpaused.is_set():
            self._executor.withdraw(run_id)
        run.changed.set()
        if run.stopped.is_set():
            await asyncio.gather(*(self._mesh.cancel_job(*job) for job in jobs.items()))

    def _started(self) -> DurableWalk:
        if self._durable is None:
            raise RuntimeError("the engine is not walking yet")
        return self._durable

    # The workflows.

    async def _walk_run(self, run_id: str) -> None:
        row = await asyncio.to_thread(patiently, partial(self._runs.get, run_id))
        if row.ended:
            return
        try:
            run = await self._activate(run_id)
            await self._change_state(run_id, run_pb2.RUN_STATE_RUNNING, frozenset({run_pb2.RUN_STATE_QUEUED}))
            await self._walk_batches(run)
            await self._change_state(run_id, run_pb2.RUN_STATE_COMPLETED, UNFINISHED_STATES)
        except SourceFailedError as error:
            await self._fail(run_id, str(error))
        except Exception as error:
            if is_database_unavailable(error):
                raise
            _log.error("a run broke off", run=run_id, exc_info=error)
            await self._fail(run_id, f"{type(error).__name__}: {error}")
        self._forget(run_id)

    async def _walk_batches(self, run: ActiveRun) -> None:
        window = asyncio.Semaphore(self._num_active_batches)

        async def walk(pipeline: str, first: int, count: int) -> None:
            try:
                await self._unless_stopped(run, self._started().walk_batch(run.id, pipeline, first, count))
            finally:
                window.release()

        async with asyncio.TaskGroup() as group:
            for pipeline in run.recipe.pipelines:
                for first, count in pipeline.source.batches():
                    await window.acquire()
                    if run.stopped.is_set():
                        return
                    group.create_task(walk(pipeline.name, first, count))

    async def _walk_batch(self, run_id: str, pipeline_name: str, first: int, count: int) -> None:
        run = await self._activate(run_id)
        if run.stopped.is_set():
            return
        pipeline = run.pipeline(pipeline_name)
        try:
            items = await self._unless_stopped(run, self._batch_items(run, pipeline_name, first, count))
        except SourceFailedError as error:
            await self._fail(run_id, str(error))
            return
        if items is None:
            return
        ids = {pipeline.item_id(index): index for index in range(first, first + len(items))}
        # Ask for the ends first and look at the table then, so that no end falls between.
        ends = {index: run.item_end(item_id) for item_id, index in ids.items()}
        ended = await asyncio.to_thread(patiently, partial(self._runs.ended_items, run_id, list(ids)))
        for item_id in ended:
            run.tell_item_end(item_id)
        for item_id, index in ids.items():
            if item_id not in ended and not run.stopped.is_set():
                await self._started().start_item(run_id, pipeline_name, index)
        await self._unless_stopped(run, self._until_ended(run, pipeline, ends))
        await self._check_ends(run, list(ids))
        for item_id in ids:
            run.item_ends.pop(item_id, None)
        self._items.pop((run_id, pipeline_name, first), None)
        run.source_records.pop((pipeline_name, first), None)

    async def _until_ended(self, run: ActiveRun, pipeline: Pipeline, ends: "dict[int, asyncio.Future[None]]") -> None:
        """Return when items have ended. This process tells the ends of those that it walks itself; others may walk
        those that were recovered after a crash."""
        while ends:
            await asyncio.wait(ends.values(), timeout=_LOOK_EVERY_S)
            ends = {index: end for index, end in ends.items() if not end.done()}
            if ends:
                walked = await self._started().unended_items(run.id, pipeline.name, list(ends))
                for index in ends.keys() - walked:
                    run.tell_item_end(pipeline.item_id(index))

    async def _check_ends(self, run: ActiveRun, item_ids: list[str]) -> None:
        """A item whose end could not be stored must not pass for walked."""
        ended = await asyncio.to_thread(patiently, partial(self._runs.ended_items, run.id, item_ids))
        if len(ended) < len(item_ids) and not run.stopped.is_set():
            lost = sorted(set(item_ids) - ended)
            raise UnavailableError(f"the ends of {len(lost)} items could not be stored, {lost[0]} among them")

    async def _walk_item(self, run_id: str, pipeline_name: str, index: int, is_new: bool) -> None:
        run = await self._activate(run_id)
        item_id = run.pipeline(pipeline_name).item_id(index)
        if not is_new:
            run.taken_up_items.add(item_id)
        try:
            await self._walk_to_end(run, pipeline_name, index)
        except BaseException:
            run.taken_up_items.add(item_id)  # walked again, it has jobs to find
            raise
        # A walk that has failed tells nothing: it may go on. Where it does not, the batch finds out.
        run.tell_item_end(item_id)
        run.taken_up_items.discard(item_id)

    async def _walk_to_end(self, run: ActiveRun, pipeline_name: str, index: int) -> None:
        pipeline = run.pipeline(pipeline_name)
        item_id = pipeline.item_id(index)
        try:
            if run.stopped.is_set():
                return
            if await asyncio.to_thread(patiently, partial(self._runs.ended_items, run.id, [item_id])):
                return
            first = index - index % pipeline.source.batch_size
            count = min(pipeline.source.batch_size, pipeline.source.num_items - first)
            items = await self._batch_items(run, pipeline_name, first, count)
            await self._unless_stopped(run, self._walk_to_samples(run, pipeline_name, index, items[index - first]))
        except Exception as error:
            if is_database_unavailable(error):
                raise
            _log.error("a item broke off", run=run.id, item=item_id, exc_info=error)
            failed = Rows(counts=[CountDelta(run.id, SAMPLES_COUNTED_AS, {"num_failed": 1})])
            await self._end_item(run, item_id, failed)

    async def _walk_to_samples(self, run: ActiveRun, pipeline_name: str, index: int, item: Any) -> None:
        pipeline = run.pipeline(pipeline_name)
        item_id = pipeline.item_id(index)
        earlier = await asyncio.to_thread(patiently, partial(self._earlier, run.id, item_id))
        walk = ItemWalk(run, pipeline, index, item, self._executor, self._writer, earlier)
        await walk.walk()
        await self._end_item(run, item_id, await sample_rows(run, pipeline, index, walk))

    async def _end_item(self, run: ActiveRun, item_id: str, rows: Rows) -> None:
        rows.add_guard(items, run_id=run.id, item_id=item_id, end_time=time.time())
        rows.counts.append(CountDelta(run.id, ITEMS_COUNTED_AS, {"num_accepted": 1}))
        await self._writer.write(rows)
        run.changed.set()

    def _earlier(self, run_id: str, item_id: str) -> Earlier:
        rows = {(row.step, row.instance): row for row in self._executions.of_item(run_id, item_id)}
        keys = {row.content_key for row in rows.values() if row.content_key}
        return Earlier(rows, self._executions.results(keys) if keys else {})

    async def _batch_items(self, run: ActiveRun, pipeline: str, first: int, count: int) -> list[Any]:
        """Items of a batch, expanded once however many items ask."""
        key = (run.id, pipeline, first)
        task = self._items.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(self._sources.items(run, run.pipeline(pipeline), first, count))
            self._items[key] = task
        return await asyncio.shield(task)

    # Runs in this process.

    async def _activate(self, run_id: str) -> ActiveRun:
        task = self._active.get(run_id)
        if task is None:
            task = self._active[run_id] = asyncio.create_task(self._load(run_id))
        try:
            return await asyncio.shield(task)
        except Exception:
            self._active.pop(run_id, None)
            raise

    async def _load(self, run_id: str) -> ActiveRun:
        row = await asyncio.to_thread(patiently, partial(self._runs.get, run_id))
        await self._learn_seconds(row)
        known = await self._known_models(row)
        checked = await asyncio.to_thread(
            check_recipe, row.recipe_text, row.recipe_file, json.loads(row.parameters), known
        )
        if checked.recipe is None:
            raise SourceFailedError("; ".join(problem.message for problem in checked.problems))
        run = ActiveRun(row.id, row.seq, row.priority, checked.recipe)
        run.unpaused.set()
        run.follow(row.state)
        if row.ended:
            run.stopped.set()
        return run

    async def _known_models(self, row: RunRow) -> dict[str, KnownModel]:
        """Models as they describe themselves now. Those that the run calls are waited for."""
        called = {model for _, _, model, _ in json.loads(row.planned_steps)}
        known: dict[str, KnownModel] = {}
        for name in json.loads(row.model_names):
            if name in called:
                known[name] = KnownModel(name, await self._described(row.id, name))
            else:
                known[name] = KnownModel(name, self._mesh.model(name).description)
        return known

    async def _described(self, run_id: str, name: str) -> model_pb2.Model:
        """A model as it describes itself, waited for as long as the run has not ended."""
        describing = asyncio.ensure_future(self._executor.describe(name, run_id))
        ending = asyncio.create_task(self._end_of(run_id).wait())
        try:
            await asyncio.wait({describing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not describing.done():
                raise SourceFailedError(f"the run ended while it waited for model `{name}`")
            model = describing.result()
        finally:
            for task in (describing, ending):
                task.cancel()
            await asyncio.gather(describing, ending, return_exceptions=True)
        if isinstance(model, LumenmillError):
            raise SourceFailedError(model.message)
        return model

    async def _learn_seconds(self, row: RunRow) -> None:
        """What earlier processes have measured of the calls of a run."""
        kinds = {(call, model) for _, call, model, _ in json.loads(row.planned_steps)}
        for call, model in sorted(kinds):
            median_s = await asyncio.to_thread(patiently, partial(self._executions.median_duration_s, call, model))
            self._executor.learn_seconds(model, call, median_s)

    def _end_of(self, run_id: str) -> asyncio.Event:
        """Set once it is known that a run of this process has ended."""
        return self._ends.setdefault(run_id, asyncio.Event())

    def _forget(self, run_id: str) -> None:
        self._active.pop(run_id, None)
        self._ends.pop(run_id, None)
        for key in [key for key in self._items if key[0] == run_id]:
            del self._items[key]

    async def _fail(self, run_id: str, error: str) -> None:
        await self._change_state(run_id, run_pb2.RUN_STATE_FAILED, UNFINISHED_STATES, error)
        await self.follow(run_id, run_pb2.RUN_STATE_FAILED)

    async def _change_state(
        self,
        run_id: str,
        to: "run_pb2.RunState.ValueType",
        only_from: "frozenset[run_pb2.RunState.ValueType]",
        error: str = "",
    ) -> None:
        change = partial(self._runs.change_state, run_id, to, only_from=only_from, error=error)
        await asyncio.to_thread(patiently, change)

    async def _unless_stopped(self, run: ActiveRun, work: Any) -> Any:
        """The result of some work, or None as soon as the run is stopped; the work is then cancelled."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.create_task(run.stopped.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            return None
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    async def _follow_states(self) -> None:
        """See what other replicas' callers have asked for and what they have left behind, and count runs."""
        while True:
            await asyncio.sleep(_FOLLOW_S)
            try:
                states = await asyncio.to_thread(self._runs.states, list(self._active))
                for run_id, state in states.items():
                    await self.follow(run_id, state)
                    if state in ENDED_STATES:
                        self._forget(run_id)
                rows = await asyncio.to_thread(self._runs.unfinished)
                _count_runs(rows)
                await self._start_left_behind(rows)
            except Exception as error:
                _log.error("states of runs could not be read", exc_info=error)

    async def _start_left_behind(self, rows: list[RunRow]) -> None:
        """Start, once, each run that was queued at the last look too: whoever stored it may have ended before it
        started it."""
        queued = [row.id for row in rows if row.state == run_pb2.RUN_STATE_QUEUED]
        before, self._queued = self._queued, {}
        for run_id in queued:
            is_started = before.get(run_id, False)
            if run_id in before and not is_started:
                await self.start(run_id)
                is_started = True
            self._queued[run_id] = is_started


def _count_runs(rows: list[RunRow]) -> None:
    for state in UNFINISHED_STATES:
        name = run_pb2.RunState.Name(state).removeprefix("RUN_STATE_").lower()
        metrics.RUNS.labels(name).set(sum(row.state == state for row in rows))
