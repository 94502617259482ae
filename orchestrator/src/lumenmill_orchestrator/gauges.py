"""Metrics that are looked up now and then rather than counted as things happen: how far runs are, how large the
database is."""

import asyncio
from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.storage import RunStore
from lumenmill_orchestrator.storage.instrumentation import size_bytes
from lumenmill_orchestrator.walk import RunEngine

__all__ = ["Gauges"]

_EVERY_S = 5.0
_log = get_logger(__name__)


class Gauges:
    """Tells of the runs that this process walks, so that each is told by one replica."""

    def __init__(
        self, engine: sa.Engine, runs: RunStore, walk: RunEngine, view: Callable[[str], Awaitable[run_pb2.Run]]
    ) -> None:
        """`view` gives a run with its counts and its remaining time, by its id."""
        self._engine, self._runs, self._walk, self._view = engine, runs, walk, view
        self._progress: set[tuple[str, str]] = set()
        self._remaining: set[tuple[str, str]] = set()

    async def keep_told(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            try:
                await self.tell()
            except Exception as error:
                _log.warning("how far runs are could not be looked up", reason=str(error))
            await asyncio.sleep(_EVERY_S)

    async def tell(self) -> None:
        """Look once. Runs that have ended are told no more."""
        metrics.DATABASE_BYTES.set(await asyncio.to_thread(size_bytes, self._engine))
        rows = await asyncio.to_thread(self._runs.unfinished)
        views = [await self._view(row.id) for row in rows if self._walk.active(row.id) is not None]
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
