"""The walk on DBOS: a workflow for each run, each shard of a run, and each chain.

Workflows carry identities only. What they have done is in our own tables, which each of them reads first, so that a
workflow that DBOS runs again after a crash goes on where the last one was. docs/adr/0002-durable-walk.md says why.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from lumenmill_orchestrator.storage import engine_url, make_engine

__all__ = ["DurableWalk", "Walkers"]

_APPLICATION_VERSION = "lumenmill-walk-1"
_SHARD_QUEUE = "shards"
_MOST_SHARDS_PER_REPLICA = 256
_POLL_S = 0.2
_THREADS = 16


@dataclass(frozen=True)
class Walkers:
    """What the workflows do. Each may be called again for the same identity and then goes on where it was."""

    run: Callable[[str], Awaitable[None]]
    shard: Callable[[str, str, int, int], Awaitable[None]]
    chain: Callable[[str, str, int], Awaitable[None]]


class DurableWalk:
    """Starts workflows; DBOS starts unfinished ones again when the process comes back."""

    def __init__(self, database_url: str, executor_id: str, walkers: Walkers) -> None:
        url = engine_url(database_url)
        # Only Postgres has other replicas that may take shards; a queue is polled, which takes its time.
        self._has_replicas = url.get_backend_name() == "postgresql"
        if not self._has_replicas and url.database:
            # A file of its own: the two writers then never wait for each other.
            url = url.set(database=f"{url.database}.dbos")
        self._engine = make_engine(url)
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
        # None means no limit: a workflow that a night of crashes took off its queue would leave its run RUNNING for ever.
        # What cannot be walked fails in the walk, which says why.
        @DBOS.workflow(name="run", max_recovery_attempts=None)
        async def run(run_id: str) -> None:
            await walkers.run(run_id)

        @DBOS.workflow(name="shard", max_recovery_attempts=None)
        async def shard(run_id: str, pipeline: str, first: int, count: int) -> None:
            await walkers.shard(run_id, pipeline, first, count)

        @DBOS.workflow(name="chain", max_recovery_attempts=None)
        async def chain(run_id: str, pipeline: str, index: int) -> None:
            await walkers.chain(run_id, pipeline, index)

        self._run, self._shard, self._chain = run, shard, chain

    async def launch(self) -> None:
        """Start DBOS on the running event loop; unfinished workflows are started again."""
        DBOS.launch()
        if self._has_replicas:
            await DBOS.register_queue_async(
                _SHARD_QUEUE, worker_concurrency=_MOST_SHARDS_PER_REPLICA, polling_interval_sec=_POLL_S
            )

    def close(self) -> None:
        """Leave every unfinished workflow to the next start."""
        DBOS.destroy(destroy_registry=True)
        self._engine.dispose()

    async def start_run(self, run_id: str) -> None:
        """Start the workflow of a run; does nothing when there is one."""
        await _outside_workflows(self._start(f"run:{run_id}", self._run, run_id))

    async def walk_shard(self, run_id: str, pipeline: str, first: int, count: int) -> None:
        """Give a shard to any replica, and return when it was walked.

        Raises:
            Exception: whatever ended the walk of the shard.
        """
        await _outside_workflows(self._walk_and_wait(run_id, pipeline, first, count))

    async def start_chain(self, run_id: str, pipeline: str, index: int) -> None:
        """Start the workflow of a chain in this process; does nothing when there is one."""
        await _outside_workflows(
            self._start(f"chain:{run_id}:{pipeline}:{index}", self._chain, run_id, pipeline, index)
        )

    @staticmethod
    async def _start(workflow_id: str, workflow: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        with SetWorkflowID(workflow_id):
            await DBOS.start_workflow_async(workflow, *arguments)

    async def _walk_and_wait(self, run_id: str, pipeline: str, first: int, count: int) -> None:
        with SetWorkflowID(f"shard:{run_id}:{pipeline}:{first}"):
            if self._has_replicas:
                handle = await DBOS.enqueue_workflow_async(_SHARD_QUEUE, self._shard, run_id, pipeline, first, count)
            else:
                handle = await DBOS.start_workflow_async(self._shard, run_id, pipeline, first, count)
        await handle.get_result(polling_interval_sec=_POLL_S)


async def _outside_workflows(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run something as if no workflow had called it.

    DBOS numbers what a workflow starts and supposes the same numbers when it runs again. Ours start only what has not
    ended yet, which differs from one time to the next, and need no such record, since identities are stable.
    """
    await asyncio.create_task(coroutine, context=contextvars.Context())
