"""Reassignment: workflows of a replica that ended for good move to the others, and a replica that was only paused gives
up those that were moved."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.execution.durable_engine import DurableEngine
from lumenmill_orchestrator.storage import LoadStore

__all__ = ["SilenceDetector", "reassigning"]

# Readings in a row in which the heartbeat of a replica must be unchanged.
_NUM_READINGS = 20
_log = get_logger(__name__)


class SilenceDetector:
    """Finds replicas whose heartbeat has stopped.

    Readings are counted, and neither clocks nor seconds compared: while the database is unavailable nobody can write a
    heartbeat, and nobody can read one; a process that was paused has not read meanwhile.
    """

    def __init__(self, num_readings: int) -> None:
        self._num_readings = num_readings
        self._seen: dict[str, tuple[float, int]] = {}

    def add_reading(self, heartbeats: Mapping[str, float]) -> list[str]:
        """Return the replicas whose heartbeat was the same for so many readings. `heartbeats` are the times at which
        each replica wrote its last one, by whatever clock."""
        before = self._seen
        self._seen = {}
        for name, time_s in heartbeats.items():
            seen_time_s, num_same = before.get(name, (None, 0))
            self._seen[name] = (time_s, num_same + 1 if seen_time_s == time_s else 0)
        return [name for name, (_, num_same) in self._seen.items() if num_same >= self._num_readings]


@contextlib.asynccontextmanager
async def reassigning(
    durable: DurableEngine, loads: LoadStore, executor_id: str, after_s: float
) -> AsyncIterator[None]:
    """Reassign workflows inside the block: those of replicas without a heartbeat for `after_s` seconds go back into the
    queue, and this replica relinquishes those that were reassigned from it. On SQLite there is one replica, and nothing
    happens."""
    task = (
        asyncio.create_task(_reassign_forever(durable, loads, executor_id, after_s)) if durable.has_replicas else None
    )
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _reassign_forever(durable: DurableEngine, loads: LoadStore, executor_id: str, after_s: float) -> None:
    detector = SilenceDetector(_NUM_READINGS)
    while True:
        await asyncio.sleep(after_s / _NUM_READINGS)
        try:
            await durable.relinquish()
            heartbeats = {row.executor_id: row.time_s for row in await asyncio.to_thread(loads.read)}
            heartbeats.pop(executor_id, None)
            for replica in detector.add_reading(heartbeats):
                if num_workflows := await durable.reassign(replica):
                    _log.warning("workflows of a silent replica were reassigned", replica=replica, num=num_workflows)
        except Exception as error:
            _log.warning("heartbeats of the other replicas could not be read", reason=str(error))
