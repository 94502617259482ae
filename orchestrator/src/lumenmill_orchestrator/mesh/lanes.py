"""One lane per model: calls wait in it, the most urgent first, for a place at the endpoint that has most room."""

import asyncio
import contextlib
import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from lumenmill.common.v1 import model_pb2
from lumenmill_common.errors import UnavailableError

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.mesh.call_seconds import CallSeconds
from lumenmill_orchestrator.mesh.endpoint import Call, Endpoint
from lumenmill_orchestrator.mesh.load import Load
from lumenmill_orchestrator.mesh.model import MeshModel
from lumenmill_orchestrator.mesh.registry import Mesh

__all__ = ["Lane", "Lanes", "ModelAbsentError", "Place", "Wait", "WithdrawnError"]

# Work that may wait at an endpoint, in seconds: enough that no worker waits for the next call, and little enough that
# pods that come up find work which has not been given away.
_LONGEST_AHEAD_S = 30.0
_UNKNOWN_KIND = ""


class ModelAbsentError(UnavailableError):
    """Nothing has served a model for longer than a call may wait, and nothing is on its way."""


class WithdrawnError(Exception):
    """A call that waited for its first place is to wait no more, since its run was paused."""


@dataclass(frozen=True)
class Wait:
    """A model that calls wait for because nothing serves."""

    model: str
    since_time: float
    """Unix seconds."""
    reason: str


class Place:
    """The place of one call: waited for, held at an endpoint, left, and waited for again."""

    def __init__(self, lane: "Lane", call: Call) -> None:
        self._lane, self.call = lane, call
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        if self._endpoint is None:
            raise RuntimeError("a call has no place while it waits for one")
        return self._endpoint

    @property
    def is_held(self) -> bool:
        """Whether it is anywhere."""
        return self._endpoint is not None

    async def enter(self, *, is_first: bool = False) -> None:
        """Wait for a place at any endpoint. `is_first` is for a call that has not begun, and may be withdrawn.

        Raises:
            ModelAbsentError: nothing served, or was on its way, for as long as the lane has patience.
            WithdrawnError: the run was paused meanwhile.
        """
        endpoint = self._lane.free_endpoint(self.call)
        if endpoint is not None:
            self.take(endpoint)
        else:
            await self._lane.wait(self, is_first=is_first)

    def take(self, endpoint: Endpoint) -> None:
        """Be at an endpoint, however full it is: another one is left for it."""
        if endpoint is self._endpoint:
            return
        self.leave()
        self._endpoint = endpoint
        endpoint.calls[self] = self.call
        self._lane.num_in_flight += 1

    def leave(self) -> None:
        """Hold none, so that others have it."""
        if self._endpoint is not None:
            del self._endpoint.calls[self]
            self._endpoint = None
            self._lane.num_in_flight -= 1
            self._lane.admit()


@dataclass(eq=False)
class _Waiting:
    """Somebody who waits while the model may be absent."""

    run_id: str
    lost_before_s: float
    """What had been lost when the wait began."""
    future: "asyncio.Future[None]"
    place: Place | None = None
    is_first: bool = False


class Lane:
    """Admits calls to one model."""

    def __init__(self, model: MeshModel, seconds: CallSeconds, prefetch: int, patience_s: float) -> None:
        self._model, self._seconds, self._prefetch, self._patience_s = model, seconds, prefetch, patience_s
        self.num_in_flight = 0
        self._kinds: Counter[str] = Counter()
        """All calls, by kind: those that wait and those that were given away."""
        self._queue: list[tuple[tuple[int, ...], int, _Waiting]] = []
        self._learning: list[_Waiting] = []
        """Who waits to learn what the model is."""
        self._counter = itertools.count()
        self._last_work_s: float | None = None
        model.watchers.append(self._look)
        model.is_wanted = lambda: self.num_waiting > 0

    @property
    def num_waiting(self) -> int:
        """Calls that wait to be admitted, or to be made again, and one more while somebody waits for the model's
        description: the call that brings its first endpoint."""
        return self._kinds.total() - self.num_in_flight + bool(self._learning)

    @contextlib.asynccontextmanager
    async def slot(self, call: Call) -> AsyncIterator[Place]:
        """Wait for a place; leave it at the end of the block.

        Raises:
            ModelAbsentError: nothing served, or was on its way, for as long as the lane has patience.
            WithdrawnError: the run was paused meanwhile.
        """
        place = Place(self, call)
        self._kinds[call.kind] += 1
        try:
            await place.enter(is_first=True)
            yield place
        finally:
            place.leave()
            self._kinds[call.kind] -= 1
            self._last_work_s = time.time()

    async def description(self, run_id: str) -> model_pb2.Model:
        """What the model says of itself, or said last; waits for one that has never answered.

        Raises:
            ModelAbsentError: as for a place.
        """
        while self._model.description is None:
            waiting = self._waiting(run_id)
            self._learning.append(waiting)
            try:
                await waiting.future
            finally:
                self._learning.remove(waiting)
                self._last_work_s = time.time()
        return self._model.description

    def load(self) -> Load:
        """What waits and what was given away."""
        kinds = {**self._kinds, _UNKNOWN_KIND: int(bool(self._learning))}
        seconds = (self._seconds.expected_s(self._model.name, kind) * number for kind, number in kinds.items())
        return Load(
            num_waiting=self.num_waiting,
            num_in_flight=self.num_in_flight,
            backlog_s=sum(seconds),
            last_work_s=time.time() if self.num_waiting or self.num_in_flight else self._last_work_s,
            num_calls_at={address: len(calls) for address, calls in self.doing().items()},
        )

    def doing(self) -> dict[str, Sequence[str]]:
        """By endpoint (`10.0.3.7:50051`) what it was given: steps of recipes with their runs, `relit (demo-1a2b)`."""
        busy = [*self._model.endpoints.values(), *self._model.departed.values()]
        return {endpoint.address: endpoint.doing() for endpoint in busy if endpoint.calls}

    def wait_of(self, run_id: str) -> Wait | None:
        """What a run waits for here because nothing serves, if it does."""
        since = self._model.absent_since
        if since is None or not any(waiting.run_id == run_id for waiting in self._all_waiting()):
            return None
        return Wait(self._model.name, since, self._model.reason)

    def withdraw(self, run_id: str) -> None:
        """Let no call of a run wait that has not begun: a paused run must not be what brings pods."""
        for waiting in self._all_waiting():
            if waiting.run_id == run_id and waiting.is_first:
                _settle(waiting, WithdrawnError())

    # For places.

    def free_endpoint(self, call: Call) -> Endpoint | None:
        """Where a call can go at once: nobody waits before it, and somebody has a place."""
        return None if self._queue else self._best(call)

    async def wait(self, place: Place, *, is_first: bool) -> None:
        """Wait until `admit` has given a place."""
        waiting = self._waiting(place.call.run_id, place, is_first=is_first)
        heapq.heappush(self._queue, (place.call.order, next(self._counter), waiting))
        self.admit()
        await waiting.future

    def admit(self) -> None:
        """Give away the places that are free."""
        while self._queue:
            waiting = self._queue[0][2]
            place = waiting.place
            if not waiting.future.done() and place is not None:
                endpoint = self._best(place.call)
                if endpoint is None:
                    return
                place.take(endpoint)
                waiting.future.set_result(None)
            heapq.heappop(self._queue)

    # Which endpoint.

    def _best(self, call: Call) -> Endpoint | None:
        """Of the endpoints that have room, the one with most free workers for its size."""
        if len(self._model.serving) == 1:
            return self._model.serving[0] if self._has_room(self._model.serving[0], call) else None
        with_room = [endpoint for endpoint in self._model.willing if self._has_room(endpoint, call)]
        return min(with_room, key=_load, default=None)

    def _has_room(self, endpoint: Endpoint, call: Call) -> bool:
        num_ahead = len(endpoint.calls) - endpoint.num_workers
        return num_ahead < 0 or num_ahead < self._most_ahead(endpoint, call)

    def _most_ahead(self, endpoint: Endpoint, call: Call) -> int:
        """Calls of a kind that may wait at an endpoint. One may, however long it takes, so that no worker waits."""
        limits = endpoint.model.limits if endpoint.model is not None else model_pb2.ModelLimits()
        most = min(self._prefetch, limits.max_queue_length or self._prefetch)
        each_s = self._seconds.expected_s(self._model.name, call.kind)
        ahead = _LONGEST_AHEAD_S * endpoint.num_workers / each_s if each_s > 0 else most
        return min(most, max(int(ahead), 1))

    # While nothing serves.

    def _waiting(self, run_id: str, place: Place | None = None, *, is_first: bool = False) -> _Waiting:
        if not self._queue and not self._learning:
            self._model.request_capacity_check()
        return _Waiting(run_id, self._model.lost_s, asyncio.get_running_loop().create_future(), place, is_first)

    def _all_waiting(self) -> list[_Waiting]:
        queued = [waiting for _, _, waiting in self._queue]
        return [waiting for waiting in (*queued, *self._learning) if not waiting.future.done()]

    def _look(self) -> None:
        """The model has changed, or is absent still."""
        self.admit()
        if self._model.description is not None:
            for waiting in self._learning:
                _settle(waiting, None)
        if self._model.ready:
            return
        for waiting in self._all_waiting():
            lost_s = self._model.lost_s - max(waiting.lost_before_s, self._model.lost_before_s)
            if lost_s > self._patience_s:
                reason = f"model `{self._model.name}` did not serve for {lost_s:.0f} s: {self._model.reason}"
                _settle(waiting, ModelAbsentError(reason))
        self._queue = [entry for entry in self._queue if not entry[2].future.done()]
        heapq.heapify(self._queue)


def _load(endpoint: Endpoint) -> tuple[float, float]:
    """Calls for each worker; equal ones are told apart by chance."""
    return len(endpoint.calls) / endpoint.num_workers, random.random()  # noqa: S311 - spreads calls, no secret


def _settle(waiting: _Waiting, error: ModelAbsentError | WithdrawnError | None) -> None:
    if waiting.future.done():
        return
    if error is None:
        waiting.future.set_result(None)
    else:
        waiting.future.set_exception(error)


class Lanes:
    """The lanes of all models."""

    def __init__(self, mesh: Mesh, prefetch: int, patience_s: float) -> None:
        """`prefetch` is the number of calls that may wait at an endpoint at most; `patience_s` is the time for which
        calls wait for a model that nothing serves and for which nothing is on its way."""
        self._mesh, self._prefetch, self._patience_s = mesh, prefetch, patience_s
        self.seconds = CallSeconds()
        """Mean seconds of the calls of every kind."""
        self._lanes: dict[str, Lane] = {}

    def of(self, name: str) -> Lane:
        """The lane of a model, registered or not."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(self._mesh.model(name), self.seconds, self._prefetch, self._patience_s)
            metrics.CALLS_WAITING.labels(name).set_function(lambda: lane.num_waiting)
            metrics.CALLS_IN_FLIGHT.labels(name).set_function(lambda: lane.num_in_flight)
        return lane

    def withdraw(self, run_id: str) -> None:
        """Let no call of a run wait that has not begun."""
        for lane in self._lanes.values():
            lane.withdraw(run_id)

    def loads(self) -> dict[str, Load]:
        """The load of every model that has been called or waited for, by name."""
        return {name: lane.load() for name, lane in self._lanes.items()}

    def doing(self) -> dict[str, Sequence[str]]:
        """By endpoint what it was given and has not answered, for people, over all models."""
        return {address: calls for lane in self._lanes.values() for address, calls in lane.doing().items()}

    def waits_of(self, run_id: str) -> list[Wait]:
        """The models that a run waits for because nothing serves, by name."""
        waits = (lane.wait_of(run_id) for _, lane in sorted(self._lanes.items()))
        return [wait for wait in waits if wait is not None]
