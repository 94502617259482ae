"""The walk on DBOS: a workflow for each run, each batch of a run, and each item.

Workflows carry identities only. What they have done is in our own tables, which each of them reads first, so that a
workflow that DBOS runs again after a crash goes on where the last one was. docs/adr/0002-durable-walk.md says why.
"""

import asyncio
import contextvars
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.storage import engine_url, is_database_unavailable, make_engine

__all__ = ["DurableWalk", "Walkers"]

_APPLICATION_VERSION = "lumenmill-walk-1"
_BATCH_QUEUE = "batches"
_MOST_BATCHES_PER_REPLICA = 256
_POLL_S = 0.2
# Of the whole process: DBOS makes its threads those of `asyncio.to_thread`, and while the database is away each walk
# of a batch keeps one or two of them waiting.
_THREADS = 64
_DATABASE_PAUSE_S = 5.0
_PENDING, _UNENDED = "PENDING", ["PENDING", "ENQUEUED", "DELAYED"]
_T = TypeVar("_T")
_log = get_logger(__name__)

# Whether a item is walked by the process that has put its workflow there: then nobody has walked it before.
_is_new: contextvars.ContextVar[bool] = contextvars.ContextVar("is_new", default=False)


@dataclass(frozen=True)
class Walkers:
    """What the workflows do. Each may be called again for the same identity and then goes on where it was."""

    run: Callable[[str], Awaitable[None]]
    batch: Callable[[str, str, int, int], Awaitable[None]]
    item: Callable[[str, str, int, bool], Awaitable[None]]
    """The last argument: whether nobody has walked the item before."""


class DurableWalk:
    """Starts workflows; DBOS puts unfinished ones back into queues, from which any replica takes them, when a process
    comes back, or when others take its workflows over."""

    def __init__(self, database_url: str, executor_id: str, walkers: Walkers) -> None:
        url = engine_url(database_url)
        # Only Postgres has other replicas that may take batches; a queue is polled, which takes its time.
        self.has_replicas = url.get_backend_name() == "postgresql"
        if not self.has_replicas and url.database:
            # A file of its own: the two writers then never wait for each other.
            url = url.set(database=f"{url.database}.dbos")
        self._engine, self._executor_id = make_engine(url), executor_id
        self._walks: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._is_closing = False
        config: DBOSConfig = {
            "name": "lumenmill",
            "system_database_url": url.render_as_string(hide_password=False),
            "system_database_engine": self._engine,
            "application_version": _APPLICATION_VERSION,
            "executor_id": executor_id,
            "max_executor_threads": _THREADS,
            "log_level": "ERROR",
            "use_listen_notify": False,
        }
        DBOS(config=config)
        self._register(walkers)

    def _register(self, walkers: Walkers) -> None:
        # None means no limit: a workflow that a night of crashes took off its queue would leave its run RUNNING for
        # ever. What cannot be walked fails in the walk, which says why.
        @DBOS.workflow(name="run", max_recovery_attempts=None)
        async def run(run_id: str) -> None:
            await self._walk(walkers.run, run_id)

        @DBOS.workflow(name="batch", max_recovery_attempts=None)
        async def batch(run_id: str, pipeline: str, first: int, count: int) -> None:
            await self._walk(walkers.batch, run_id, pipeline, first, count)

        @DBOS.workflow(name="item", max_recovery_attempts=None)
        async def item(run_id: str, pipeline: str, index: int) -> None:
            await self._walk(walkers.item, run_id, pipeline, index, _is_new.get())

        self._run, self._batch, self._item = run, batch, item

    async def launch(self) -> None:
        """Start DBOS on the running event loop; unfinished workflows of this replica go back into their queues."""
        DBOS.launch()
        if self.has_replicas:
            await DBOS.register_queue_async(
                _BATCH_QUEUE, worker_concurrency=_MOST_BATCHES_PER_REPLICA, polling_interval_sec=_POLL_S
            )

    async def close(self) -> None:
        """Leave every unfinished workflow to the next start."""
        # Walks are cancelled, and none begins, before what they stand on is taken away: they would take that for
        # failures.
        self._is_closing = True
        await self._cancel(list(self._walks))
        await asyncio.to_thread(self._destroy)

    def _destroy(self) -> None:
        DBOS.destroy(destroy_registry=True)
        self._engine.dispose()

    async def start_run(self, run_id: str) -> None:
        """Start the workflow of a run; does nothing when there is one."""
        await self._start(f"run:{run_id}", self._run, run_id)

    async def walk_batch(self, run_id: str, pipeline: str, first: int, count: int) -> None:
        """Give a batch to any replica, and return when it was walked.

        Raises:
            Exception: whatever ended the walk of the batch.
        """
        await _outside_workflows(self._walk_and_wait(run_id, pipeline, first, count))

    async def start_item(self, run_id: str, pipeline: str, index: int) -> None:
        """Start the workflow of a item in this process; does nothing when there is one, here or elsewhere."""
        workflow_id = _item_workflow(run_id, pipeline, index)
        await self._start(workflow_id, self._item, run_id, pipeline, index)

    async def unended_items(self, run_id: str, pipeline: str, indexes: Sequence[int]) -> set[int]:
        """Which of some items somebody walks, or will: this replica or another."""
        ids = {_item_workflow(run_id, pipeline, index): index for index in indexes}
        unended = await _outside_workflows(self._workflows(ids, _UNENDED))
        return {ids[workflow_id] for workflow_id in unended}

    async def take_over(self, executor_id: str) -> int:
        """Put the unfinished workflows of another replica back into their queues; how many there were.

        Two replicas may do so at once: each workflow goes back once, and only from the replica that is named.
        """
        return len(await asyncio.to_thread(DBOS._recover_pending_workflows, [executor_id]))

    async def let_go(self) -> None:
        """Cancel the walks of workflows that have been taken over from this replica, while it was paused or cut off."""
        walked = list(self._walks)
        if walked:
            own = await self._workflows(walked, [_PENDING], executor_id=self._executor_id)
            await self._cancel(set(walked) - own)

    @staticmethod
    async def _workflows(ids: Collection[str], statuses: list[str], executor_id: str | None = None) -> set[str]:
        found = await DBOS.list_workflows_async(
            workflow_ids=list(ids), status=statuses, executor_id=executor_id, load_input=False, load_output=False
        )
        return {workflow.workflow_id for workflow in found}

    async def _walk(self, walk: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Walk, known to this process while it lasts. Cancelled, it stays unfinished for whoever takes it up."""
        if self._is_closing:
            raise asyncio.CancelledError
        workflow_id = DBOS.workflow_id or ""
        task = asyncio.ensure_future(_patient(walk, *arguments))
        self._walks[workflow_id].add(task)
        try:
            await task
        finally:
            self._walks[workflow_id].discard(task)
            if not self._walks[workflow_id]:
                del self._walks[workflow_id]

    async def _cancel(self, workflow_ids: Collection[str]) -> None:
        tasks = [task for workflow_id in workflow_ids for task in self._walks.get(workflow_id, ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @staticmethod
    async def _start(workflow_id: str, workflow: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        async def start() -> None:
            with SetWorkflowID(workflow_id):
                _is_new.set(True)  # what DBOS takes from a queue does not run in this context
                await DBOS.start_workflow_async(workflow, *arguments)

        # To its end, also when whoever asked goes away: a workflow that is written down and not begun would wait for
        # the next restart.
        await asyncio.shield(_outside_workflows(start()))

    async def _walk_and_wait(self, run_id: str, pipeline: str, first: int, count: int) -> None:
        with SetWorkflowID(f"batch:{run_id}:{pipeline}:{first}"):
            if self.has_replicas:
                handle = await DBOS.enqueue_workflow_async(_BATCH_QUEUE, self._batch, run_id, pipeline, first, count)
            else:
                handle = await DBOS.start_workflow_async(self._batch, run_id, pipeline, first, count)
        await handle.get_result(polling_interval_sec=_POLL_S)


def _item_workflow(run_id: str, pipeline: str, index: int) -> str:
    return f"item:{run_id}:{pipeline}:{index}"


async def _patient(walk: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    """A walk that the absence of the database has ended is no finished walk: it goes on from where it was. Nor is one
    that was cancelled by nobody: a connection that is closed cancels the calls on it, and whoever waits for them."""
    while True:
        try:
            return await walk(*arguments)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            _log.warning("a walk was cancelled by nobody, and goes on", walk=arguments)
        except Exception as error:
            if not is_database_unavailable(error):
                raise
            _log.warning("a walk waits for the database", walk=arguments, reason=str(error))
        await asyncio.sleep(_DATABASE_PAUSE_S)


async def _outside_workflows(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run something as if no workflow had called it.

    DBOS numbers what a workflow starts and supposes the same numbers when it runs again. Ours start only what has not
    ended yet, which differs from one time to the next, and need no such record, since identities are stable.
    """
    return await asyncio.create_task(coroutine, context=contextvars.Context())
