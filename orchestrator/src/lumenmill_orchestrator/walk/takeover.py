"""What becomes of the workflows of a replica that ended for good, or that others took for one that had."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.storage import LoadStore
from lumenmill_orchestrator.walk.durable import DurableWalk

__all__ = ["Silence", "taking_over"]

# Looks in a row at which a replica must have told nothing new.
_NUM_LOOKS = 20
_log = get_logger(__name__)


class Silence:
    """Finds those who have stopped telling that they live.

    Looks are counted, and neither clocks nor seconds compared: while the database is away nobody can tell anything, and
    nobody can look; a process that was paused has not looked meanwhile.
    """

    def __init__(self, num_looks: int) -> None:
        self._num_looks = num_looks
        self._seen: dict[str, tuple[float, int]] = {}

    def look(self, told: Mapping[str, float]) -> list[str]:
        """Who has told the same for so many looks. `told`: when each of them told last, by whatever clock."""
        before = self._seen
        self._seen = {}
        for name, time_s in told.items():
            seen_time_s, num_same = before.get(name, (None, 0))
            self._seen[name] = (time_s, num_same + 1 if seen_time_s == time_s else 0)
        return [name for name, (_, num_same) in self._seen.items() if num_same >= self._num_looks]


@contextlib.asynccontextmanager
async def taking_over(walk: DurableWalk, loads: LoadStore, executor_id: str, after_s: float) -> AsyncIterator[None]:
    """Inside the block the workflows of replicas that were silent for `after_s` seconds are taken over, and this one
    lets go of those that were taken over from it. On SQLite there is one replica, and nothing happens."""
    looking = asyncio.create_task(_look_for_ever(walk, loads, executor_id, after_s)) if walk.has_replicas else None
    try:
        yield
    finally:
        if looking is not None:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


async def _look_for_ever(walk: DurableWalk, loads: LoadStore, executor_id: str, after_s: float) -> None:
    silence = Silence(_NUM_LOOKS)
    while True:
        await asyncio.sleep(after_s / _NUM_LOOKS)
        try:
            await walk.let_go()
            told = {row.executor_id: row.time_s for row in await asyncio.to_thread(loads.read)}
            told.pop(executor_id, None)
            for silent in silence.look(told):
                if num_taken := await walk.take_over(silent):
                    _log.warning("took over from a replica that is silent", replica=silent, num_workflows=num_taken)
        except Exception as error:
            _log.warning("the other replicas could not be looked after", reason=str(error))
