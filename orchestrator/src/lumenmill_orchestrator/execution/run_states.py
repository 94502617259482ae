"""State changes of runs that were made elsewhere: read from the database every second and applied here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.execution.active_runs import ActiveRuns
from lumenmill_orchestrator.execution.workflows import Workflows
from lumenmill_orchestrator.storage import ENDED_STATES, UNFINISHED_STATES, RunRow, RunStore

__all__ = ["RunStateFollower"]

_READ_EVERY_S = 1.0
_log = get_logger(__name__)


class RunStateFollower:
    """Applies what the callers of other replicas have requested, starts runs that nobody started, and counts runs."""

    def __init__(self, workflows: Workflows, active: ActiveRuns, runs: RunStore) -> None:
        self._workflows, self._active, self._runs = workflows, active, runs
        self._queued: dict[str, bool] = {}
        """Runs that were queued at the last reading, and whether they have been started here."""

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow states inside the block."""
        task = asyncio.create_task(self._follow_forever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow_forever(self) -> None:
        while True:
            await asyncio.sleep(_READ_EVERY_S)
            try:
                await self._follow()
            except Exception as error:
                _log.error("states of runs could not be read", exc_info=error)

    async def _follow(self) -> None:
        states = await asyncio.to_thread(self._runs.states, self._active.ids)
        for run_id, state in states.items():
            await self._active.apply_state(run_id, state)
            if state in ENDED_STATES:
                self._active.drop(run_id)
        rows = await asyncio.to_thread(self._runs.unfinished)
        _count_runs(rows)
        await self._start_unstarted(rows)

    async def _start_unstarted(self, rows: Sequence[RunRow]) -> None:
        """Start, once, each run that was queued at the last reading too: the process that stored it may have ended
        before it started it."""
        queued = [row.id for row in rows if row.state == run_pb2.RUN_STATE_QUEUED]
        before, self._queued = self._queued, {}
        for run_id in queued:
            is_started = before.get(run_id, False)
            if run_id in before and not is_started:
                await self._workflows.start(run_id)
                is_started = True
            self._queued[run_id] = is_started


def _count_runs(rows: Sequence[RunRow]) -> None:
    for state in UNFINISHED_STATES:
        name = run_pb2.RunState.Name(state).removeprefix("RUN_STATE_").lower()
        metrics.RUNS.labels(name).set(sum(row.state == state for row in rows))
