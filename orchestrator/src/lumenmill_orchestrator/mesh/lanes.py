"""One lane per model: as many calls at once as it has workers (and a few waiting), the most urgent first."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator

from lumenmill.common.v1 import model_pb2

from lumenmill_orchestrator import metrics

__all__ = ["Lane", "Lanes"]


class Lane:
    """Admits calls to one model. Orders are compared: smaller goes first, then first come."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.num_active = 0
        self._waiting: list[tuple[tuple[int, ...], int, asyncio.Future[None]]] = []
        self._counter = itertools.count()

    @property
    def num_waiting(self) -> int:
        """Calls that wait to be admitted."""
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def slot(self, order: tuple[int, ...]) -> AsyncIterator[None]:
        """Wait for a place; leave it at the end of the block."""
        await self._enter(order)
        try:
            yield
        finally:
            self.num_active -= 1
            self._admit()

    def resize(self, limit: int) -> None:
        """Change how many are admitted at once."""
        self.limit = limit
        self._admit()

    async def _enter(self, order: tuple[int, ...]) -> None:
        if self.num_active < self.limit and not self._waiting:
            self.num_active += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._counter), place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.num_active -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self.num_active < self.limit:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                self.num_active += 1
                place.set_result(None)


class Lanes:
    """The lanes of all models."""

    def __init__(self, prefetch: int) -> None:
        self._prefetch = prefetch
        self._lanes: dict[str, Lane] = {}

    def of(self, name: str, model: model_pb2.Model) -> Lane:
        """The lane of a model, as wide as its workers and the prefetch, never wider than its queue can take."""
        workers = max(model.limits.num_workers, 1)
        waiting = min(self._prefetch, model.limits.max_queue_length or self._prefetch)
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(workers + waiting)
            metrics.CALLS_WAITING.labels(name).set_function(lambda: lane.num_waiting)
            metrics.CALLS_IN_FLIGHT.labels(name).set_function(lambda: lane.num_active)
        elif lane.limit != workers + waiting:
            lane.resize(workers + waiting)
        return lane

    def all(self) -> dict[str, Lane]:
        """Lanes by model."""
        return self._lanes
