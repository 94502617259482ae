"""Metrics that are computed every few seconds rather than counted: progress of runs, size of the database."""

import asyncio
from collections.abc import Awaitable, Callable

import sqlalchemy as sa

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.execution import ActiveRuns
from lumenmill_orchestrator.storage import RunStore
from lumenmill_orchestrator.storage.instrumentation import size_bytes

__all__ = ["Gauges"]

_EVERY_S = 5.0
_log = get_logger(__name__)


class Gauges:
    """Reports the runs that this process executes, so that each is reported by one replica."""

    def __init__(
        self, engine: sa.Engine, runs: RunStore, active: ActiveRuns, view: Callable[[str], Awaitable[run_pb2.Run]]
    ) -> None:
        """`view` gives a run with its counts and its remaining time, by its id."""
        self._engine, self._runs, self._active, self._view = engine, runs, active, view
        self._progress: set[tuple[str, str]] = set()
        self._remaining: set[tuple[str, str]] = set()

    async def report_forever(self) -> None:
        """Report every few seconds, until cancelled."""
        while True:
            try:
                await self.report()
            except Exception as error:
                _log.warning("metrics of runs could not be computed", reason=str(error))
            await asyncio.sleep(_EVERY_S)

    async def report(self) -> None:
        """Report once. Metrics of runs that have ended are removed."""
        metrics.DATABASE_BYTES.set(await asyncio.to_thread(size_bytes, self._engine))
        rows = await asyncio.to_thread(self._runs.unfinished)
        views = [await self._view(row.id) for row in rows if self._active.get(row.id) is not None]
        progress = {(run.id, run.recipe_name): _progress_ratio(run) for run in views}
        remaining = {
            (run.id, run.recipe_name): run.estimated_remaining.ToMilliseconds() / 1000
            for run in views
            if run.HasField("estimated_remaining")
        }
        for labels in self._progress - progress.keys():
            metrics.RUN_PROGRESS.remove(*labels)
        for labels in self._remaining - remaining.keys():
            metrics.RUN_REMAINING.remove(*labels)
        for labels, ratio in progress.items():
            metrics.RUN_PROGRESS.labels(*labels).set(ratio)
        for labels, remaining_s in remaining.items():
            metrics.RUN_REMAINING.labels(*labels).set(remaining_s)
        self._progress, self._remaining = set(progress), set(remaining)


def _progress_ratio(run: run_pb2.Run) -> float:
    num_ended = sum(step.num_accepted + step.num_rejected + step.num_failed + step.num_skipped for step in run.steps)
    num_planned = sum(step.num_total for step in run.steps)
    return num_ended / num_planned if num_planned else 0.0
