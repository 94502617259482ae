"""The durable engine: workflows on DBOS, which survive crashes and can be moved between replicas.

Workflows carry identities only. Their results are in our own tables, which each of them reads first, so that a workflow
that DBOS starts again after a crash continues where it was interrupted. docs/adr/0002-durable-execution.md says why.
"""

import asyncio
import contextvars
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from typing import Any, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID

from lumenmill_common.calls import is_cancellation_requested
from lumenmill_common.errors import LumenmillError, UnavailableError
from lumenmill_common.retries import RetryPolicy, RetryState, retrying
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.storage import engine_url, is_database_unavailable, make_engine

__all__ = ["DurableEngine", "is_new_workflow", "workflow"]

_APPLICATION_VERSION = "lumenmill-execution-1"
_QUEUE = "workflows"
_POLL_S = 0.2
# Of the whole process: DBOS makes its threads those of `asyncio.to_thread`, and while the database is unavailable each
# workflow keeps one or two of them waiting.
_NUM_THREADS = 64
_DATABASE_PAUSE_S = 5.0
_PENDING, _UNFINISHED = "PENDING", ["PENDING", "ENQUEUED", "DELAYED"]
_T = TypeVar("_T")
_log = get_logger(__name__)

_is_new: contextvars.ContextVar[bool] = contextvars.ContextVar("is_new", default=False)

_Workflow = Callable[..., Coroutine[Any, Any, None]]
_WorkflowT = TypeVar("_WorkflowT", bound=_Workflow)


def workflow(method: _WorkflowT) -> _WorkflowT:
    """Declare a method as a workflow of its own name, which `DurableEngine.launch` registers for the instance.

    DBOS has one registry per process, which ends with its engine; a decorator that registered at import time would
    serve the first engine only, and could not bind the instance with the stores that the workflow needs.
    """
    method.is_workflow = True  # type: ignore[attr-defined]  # read by `launch`
    return method


def is_new_workflow() -> bool:
    """Whether the calling workflow was created by `start` in this process: then it cannot have been executed before."""
    return _is_new.get()


class DurableEngine:
    """Starts workflows. Unfinished ones go back into a queue, from which any replica takes them, when their process
    restarts or when another replica reassigns them. One engine per process: DBOS is global."""

    def __init__(self, database_url: str, executor_id: str) -> None:
        """`executor_id` identifies this replica, the same after every restart."""
        url = engine_url(database_url)
        # Only Postgres has other replicas that may take workflows; a queue is polled, which takes its time.
        self.has_replicas = url.get_backend_name() == "postgresql"
        if not self.has_replicas and url.database:
            # A file of its own: the two writers then never wait for each other.
            url = url.set(database=f"{url.database}.dbos")
        self._url, self._engine, self._executor_id = url, make_engine(url), executor_id
        self._workflows: dict[str, _Workflow] = {}
        self._executions: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._is_closing = False

    async def launch(self, owner: object) -> None:
        """Register the methods of `owner` that `workflow` decorates, and start DBOS on the running event loop.

        Each may be executed again with the same arguments, and must then continue where it was interrupted.
        """
        await asyncio.to_thread(self._configure)
        names = [name for name, value in vars(type(owner)).items() if getattr(value, "is_workflow", False)]
        self._workflows = {name: self._registered(name, getattr(owner, name)) for name in names}
        DBOS.launch()
        if self.has_replicas:
            # Without a limit: batches keep their places while their run is paused, and would keep those of other runs
            # from starting. Each run has only `num_active_batches` at once.
            await DBOS.register_queue_async(_QUEUE, polling_interval_sec=_POLL_S)

    async def close(self) -> None:
        """Interrupt all executions; unfinished workflows are left to the next start."""
        # Executions are cancelled, and none begins, before the engine is destroyed under them: they would treat that as
        # failures.
        self._is_closing = True
        await self._cancel(list(self._executions))
        await asyncio.to_thread(self._destroy)

    async def start(self, workflow: _Workflow, workflow_id: str, *arguments: str | int) -> None:
        """Start a workflow in this process; do nothing when there is one with this id, here or elsewhere."""

        async def start() -> None:
            with SetWorkflowID(workflow_id):
                _is_new.set(True)  # what DBOS takes from a queue does not run in this context
                await DBOS.start_workflow_async(self._workflows[workflow.__name__], *arguments)

        # Shielded from the cancellation of the caller: a workflow that is stored and not started would wait for the
        # next restart.
        await asyncio.shield(_outside_workflows(start()))

    async def execute_anywhere(self, workflow: _Workflow, workflow_id: str, *arguments: str | int) -> None:
        """Let any replica execute a workflow, and return when it has finished.

        Raises:
            Exception: the one that the workflow raised.
        """
        # Retried: a cancellation that nobody requested would end the task of the caller without an error.
        await _retried(
            lambda: _outside_workflows(self._execute_anywhere(workflow, workflow_id, *arguments)), workflow_id
        )

    async def unfinished(self, workflow_ids: Collection[str]) -> set[str]:
        """Return the ids of workflows that any replica executes or will execute."""
        return await _outside_workflows(self._ids_of(workflow_ids, _UNFINISHED))

    async def error_of(self, workflow_id: str) -> Exception | None:
        """Return the error that a workflow ended with; None when it has not ended, or without an error."""
        found = await _outside_workflows(DBOS.list_workflows_async(workflow_ids=[workflow_id], load_input=False))
        return found[0].error if found else None

    async def reassign(self, executor_id: str) -> int:
        """Put the unfinished workflows of another replica back into the queue, and return how many there were.

        Two replicas may do so at once: each workflow goes back once, and only from the replica that is named.
        """
        return len(await asyncio.to_thread(DBOS._recover_pending_workflows, [executor_id]))

    async def relinquish(self) -> None:
        """Cancel the executions of workflows that were reassigned from this replica, while it was paused or cut off."""
        executed = list(self._executions)
        if executed:
            own = await self._ids_of(executed, [_PENDING], executor_id=self._executor_id)
            await self._cancel(set(executed) - own)

    def _configure(self) -> None:
        config: DBOSConfig = {
            "name": "lumenmill",
            "system_database_url": self._url.render_as_string(hide_password=False),
            "system_database_engine": self._engine,
            "application_version": _APPLICATION_VERSION,
            "executor_id": self._executor_id,
            "max_executor_threads": _NUM_THREADS,
            "log_level": "ERROR",
            "use_listen_notify": False,
        }
        DBOS(config=config)

    def _registered(self, name: str, function: Callable[..., Awaitable[None]]) -> _Workflow:
        # None means no limit: a workflow that many crashes took off its queue would leave its run RUNNING for ever.
        # What cannot be executed fails in the workflow, which says why.
        @DBOS.workflow(name=name, max_recovery_attempts=None)
        async def execute(*arguments: str | int) -> None:
            await self._execute(function, arguments)

        return execute

    async def _execute(self, function: Callable[..., Awaitable[None]], arguments: tuple[str | int, ...]) -> None:
        """Execute a workflow as a task that can be cancelled; the workflow then stays unfinished."""
        if self._is_closing:
            raise asyncio.CancelledError
        workflow_id = DBOS.workflow_id or ""
        task = asyncio.ensure_future(_retried(partial(function, *arguments), workflow_id))
        self._executions[workflow_id].add(task)
        try:
            await task
        finally:
            self._executions[workflow_id].discard(task)
            if not self._executions[workflow_id]:
                del self._executions[workflow_id]

    async def _execute_anywhere(self, workflow: _Workflow, workflow_id: str, *arguments: str | int) -> None:
        function = self._workflows[workflow.__name__]
        with SetWorkflowID(workflow_id):
            if self.has_replicas:
                handle = await DBOS.enqueue_workflow_async(_QUEUE, function, *arguments)
            else:
                handle = await DBOS.start_workflow_async(function, *arguments)
        await handle.get_result(polling_interval_sec=_POLL_S)

    async def _cancel(self, workflow_ids: Collection[str]) -> None:
        tasks = [task for workflow_id in workflow_ids for task in self._executions.get(workflow_id, ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _destroy(self) -> None:
        DBOS.destroy(destroy_registry=True)
        self._engine.dispose()

    @staticmethod
    async def _ids_of(ids: Collection[str], statuses: list[str], executor_id: str | None = None) -> set[str]:
        found = await DBOS.list_workflows_async(
            workflow_ids=list(ids), status=statuses, executor_id=executor_id, load_input=False, load_output=False
        )
        return {workflow.workflow_id for workflow in found}


class _InterruptedError(UnavailableError):
    """A workflow was interrupted by something that is neither its result nor a request to end it."""


_RETRIES = RetryPolicy(
    {_InterruptedError: math.inf}, initial_backoff_s=_DATABASE_PAUSE_S, max_backoff_s=_DATABASE_PAUSE_S
)


async def _retried(function: Callable[[], Awaitable[None]], workflow_id: str) -> None:
    """Execute a workflow, again after an interruption that is neither its result nor a request to end it.

    Such are an unavailable database, and a cancellation that nobody requested: a connection that is closed cancels its
    calls and the tasks that wait for them.
    """

    async def attempt() -> None:
        try:
            await function()
        except asyncio.CancelledError as error:
            if is_cancellation_requested():
                raise
            raise _InterruptedError("a closed connection cancelled it", retry_delay_s=0.0) from error
        except Exception as error:
            if not is_database_unavailable(error):
                raise
            raise _InterruptedError(str(error), retry_delay_s=0.0) from error

    def report(error: LumenmillError, delay_s: float) -> None:
        _log.warning("a workflow was interrupted and continues", workflow=workflow_id, reason=error.message)

    await retrying(attempt, RetryState(_RETRIES), report)


async def _outside_workflows(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run something as if no workflow had called it.

    DBOS numbers what a workflow starts and expects the same numbers when it is executed again. Ours start only what has
    not ended yet, which differs from one execution to the next, and need no such record, since their ids are stable.
    """
    return await asyncio.create_task(coroutine, context=contextvars.Context())
