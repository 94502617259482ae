"""The queue of one model: its calls wait, in turns of their runs, for a slot at the least loaded endpoint."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from lumenmill.common.v1 import model_pb2
from lumenmill_common.errors import UnavailableError
from lumenmill_common.fair_queue import FairQueue
from lumenmill_orchestrator.mesh.call_seconds import CallSeconds
from lumenmill_orchestrator.mesh.endpoint import Call, Endpoint
from lumenmill_orchestrator.mesh.load import Load
from lumenmill_orchestrator.mesh.model_endpoints import ModelEndpoints

__all__ = ["ModelQueue", "ModelUnavailableError", "RunPausedError", "Slot", "Wait"]

# Work that may be sent to an endpoint beyond its workers, in seconds: enough that no worker is idle, and little enough
# that work is left for pods that become ready later.
_MAX_PREFETCH_S = 30.0
# Of the call that will follow when the description of the model has been read.
_UNKNOWN_KIND = ""


class ModelUnavailableError(UnavailableError):
    """No endpoint has served a model for longer than a call may wait, and no pod is being started."""


class RunPausedError(Exception):
    """A call that waited for its first slot was removed from the queue, since its run was paused."""


@dataclass(frozen=True)
class Wait:
    """A model that calls wait for because no endpoint serves it."""

    model: str
    since_time: float
    """Unix seconds."""
    reason: str


class Slot:
    """The slot of one call: acquired at an endpoint, released, and acquired again for another attempt."""

    def __init__(self, queue: "ModelQueue", call: Call) -> None:
        self._queue, self.call = queue, call
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint at which the slot is held."""
        if self._endpoint is None:
            raise RuntimeError("the slot is not held")
        return self._endpoint

    async def acquire(self, *, is_first: bool = False) -> None:
        """Wait for a slot at any endpoint, unless one is free.

        `is_first` is for a call that has not started, which a pause removes.

        Raises:
            ModelUnavailableError: no endpoint served, and no pod was being started, for the retry timeout.
            RunPausedError: the run was paused meanwhile.
        """
        await self._queue.wait(self, is_first=is_first)

    def take(self, endpoint: Endpoint) -> None:
        """Hold a slot at an endpoint, however full it is, instead of the present one."""
        if endpoint is self._endpoint:
            return
        self.release()
        self._endpoint = endpoint
        endpoint.calls[self] = self.call
        self._queue.add_in_flight(self.call)

    def release(self) -> None:
        """Release the slot to the next call in the queue."""
        if self._endpoint is not None:
            del self._endpoint.calls[self]
            self._endpoint = None
            self._queue.remove_in_flight(self.call)


@dataclass(eq=False)
class _Waiting:
    """A call that waits for a slot, or a run that waits for the description of the model."""

    run_id: str
    unserved_before_s: float
    """`unserved_s` of the model when the wait began."""
    future: "asyncio.Future[None]"
    slot: Slot | None = None
    is_first: bool = False


class ModelQueue:
    """The queue of calls to one model."""

    def __init__(self, model: ModelEndpoints, call_seconds: CallSeconds, prefetch: int, retry_timeout_s: float) -> None:
        self._model, self._call_seconds = model, call_seconds
        self._prefetch, self._retry_timeout_s = prefetch, retry_timeout_s
        self._in_flight: Counter[str] = Counter()
        """Calls that were sent to an endpoint, by run."""
        self._kinds: Counter[str] = Counter()
        """All calls by kind, waiting and in flight."""
        self._queued: FairQueue[_Waiting] = FairQueue()
        self._awaiting_description: list[_Waiting] = []
        """Runs that wait for the description of a model that has never answered."""
        self._last_work_time: float | None = None
        model.attach_queue(self._on_model_change, lambda: self.num_waiting > 0)

    @property
    def num_in_flight(self) -> int:
        """Calls that were sent to an endpoint."""
        return self._in_flight.total()

    @property
    def num_waiting(self) -> int:
        """Calls that wait for a slot, first or again, and one more while a run waits for the model's description, so
        that its first pod is started."""
        return self._kinds.total() - self.num_in_flight + bool(self._awaiting_description)

    @contextlib.asynccontextmanager
    async def slot(self, call: Call) -> AsyncIterator[Slot]:
        """Acquire a slot, and release it at the end of the block.

        Raises:
            ModelUnavailableError: no endpoint served, and no pod was being started, for the retry timeout.
            RunPausedError: the run was paused meanwhile.
        """
        slot = Slot(self, call)
        self._kinds[call.kind] += 1
        try:
            await slot.acquire(is_first=True)
            yield slot
        finally:
            slot.release()
            self._kinds[call.kind] -= 1
            self._last_work_time = time.time()

    async def description(self, run_id: str) -> model_pb2.Model:
        """Return the last description of the model; wait for a model that has never answered.

        Raises:
            ModelUnavailableError: as for a slot.
        """
        while self._model.description is None:
            waiting = self._waiting(run_id)
            self._awaiting_description.append(waiting)
            try:
                await waiting.future
            finally:
                self._awaiting_description.remove(waiting)
                self._last_work_time = time.time()
        return self._model.description

    def load(self) -> Load:
        """Return the load of the model from this process."""
        kinds = {**self._kinds, _UNKNOWN_KIND: int(bool(self._awaiting_description))}
        seconds = (self._call_seconds.expected_s(self._model.name, kind) * number for kind, number in kinds.items())
        return Load(
            num_waiting=self.num_waiting,
            num_in_flight=self.num_in_flight,
            backlog_s=sum(seconds),
            last_work_time=time.time() if self.num_waiting or self.num_in_flight else self._last_work_time,
            num_calls_at={address: len(calls) for address, calls in self.calls_by_endpoint().items()},
        )

    def calls_by_endpoint(self) -> dict[str, Sequence[str]]:
        """Return the calls at each endpoint, `10.0.3.7:50051`: steps with their runs, `relit (demo-1a2b)`, the oldest
        first."""
        busy = [*self._model.endpoints.values(), *self._model.removed.values()]
        return {
            endpoint.address: [call.label for call in endpoint.calls.values()] for endpoint in busy if endpoint.calls
        }

    def wait_of(self, run_id: str) -> Wait | None:
        """Return what a run waits for here because no endpoint serves; None when it does not."""
        since = self._model.unserved_since_time
        if since is None or not any(waiting.run_id == run_id for waiting in self._all_waiting()):
            return None
        return Wait(self._model.name, since, self._model.reason)

    def remove_unstarted(self, run_id: str) -> None:
        """Remove the calls of a paused run that have not started, so that no pods are started for them."""
        for waiting in self._all_waiting():
            if waiting.run_id == run_id and waiting.is_first:
                _resolve(waiting, RunPausedError())

    # For slots.

    def add_in_flight(self, call: Call) -> None:
        """Count a call that was sent to an endpoint."""
        self._in_flight[call.run_id] += 1

    def remove_in_flight(self, call: Call) -> None:
        """Count a call out that was answered, and give its slot to the next one."""
        self._in_flight[call.run_id] -= 1
        if not self._in_flight[call.run_id]:
            del self._in_flight[call.run_id]
        self.admit()

    async def wait(self, slot: Slot, *, is_first: bool) -> None:
        """Wait until `admit` has assigned an endpoint; where one is free, it does so at once and counts the turn."""
        waiting = self._waiting(slot.call.run_id, slot, is_first=is_first)
        self._queued.add(waiting, slot.call.place)
        try:
            self.admit()
            await waiting.future
        finally:
            self._queued.remove(waiting)

    def admit(self) -> None:
        """Assign free slots to the calls that wait, in their turns."""
        while (waiting := self._queued.first()) is not None:
            slot = waiting.slot
            if waiting.future.done() or slot is None:
                self._queued.remove(waiting)
                continue
            endpoint = self._best_endpoint(slot.call)
            if endpoint is None:
                return
            self._queued.take(waiting)
            slot.take(endpoint)
            waiting.future.set_result(None)

    # The choice of an endpoint.

    def _best_endpoint(self, call: Call) -> Endpoint | None:
        """Return the endpoint with free capacity that has the fewest calls for each worker."""
        if len(self._model.serving) == 1:
            return self._model.serving[0] if self._has_capacity(self._model.serving[0], call) else None
        free = [endpoint for endpoint in self._model.preferred if self._has_capacity(endpoint, call)]
        return min(free, key=_load, default=None)

    def _has_capacity(self, endpoint: Endpoint, call: Call) -> bool:
        num_waiting = len(endpoint.calls) - endpoint.num_workers
        return num_waiting < 0 or num_waiting < self._max_prefetch(endpoint, call)

    def _max_prefetch(self, endpoint: Endpoint, call: Call) -> int:
        """Return how many calls of a kind may wait at an endpoint: at least one, so that no worker is idle.

        One more may be the only call of its run: it takes its turn there, rather than after all calls of another run
        that were sent before it.
        """
        limits = endpoint.model.limits if endpoint.model is not None else model_pb2.ModelLimits()
        num_reserved = 1 if self._prefetch and call.run_id not in self._in_flight else 0
        most = limits.max_queue_length or self._prefetch + num_reserved
        each_s = self._call_seconds.expected_s(self._model.name, call.kind)
        in_time = _MAX_PREFETCH_S * endpoint.num_workers / each_s if each_s > 0 else self._prefetch
        return min(most, min(self._prefetch, max(int(in_time), 1)) + num_reserved)

    # While no endpoint serves.

    def _waiting(self, run_id: str, slot: Slot | None = None, *, is_first: bool = False) -> _Waiting:
        if not self._queued and not self._awaiting_description:
            self._model.check_capacity_soon()
        future = asyncio.get_running_loop().create_future()
        return _Waiting(run_id, self._model.unserved_s, future, slot, is_first)

    def _all_waiting(self) -> list[_Waiting]:
        return [waiting for waiting in (*self._queued, *self._awaiting_description) if not waiting.future.done()]

    def _on_model_change(self) -> None:
        """Admit calls after a change of the model, and fail those that have waited too long for an endpoint."""
        self.admit()
        if self._model.description is not None:
            for waiting in self._awaiting_description:
                _resolve(waiting, None)
        if self._model.ready:
            return
        for waiting in self._all_waiting():
            unserved_s = self._model.unserved_s - max(waiting.unserved_before_s, self._model.unserved_before_s)
            if unserved_s > self._retry_timeout_s:
                reason = f"model `{self._model.name}` did not serve for {unserved_s:.0f} s: {self._model.reason}"
                _resolve(waiting, ModelUnavailableError(reason))


def _load(endpoint: Endpoint) -> tuple[float, float]:
    """Return the calls for each worker; equal loads are ordered at random."""
    return len(endpoint.calls) / endpoint.num_workers, random.random()  # noqa: S311 - spreads calls, no secret


def _resolve(waiting: _Waiting, error: ModelUnavailableError | RunPausedError | None) -> None:
    if waiting.future.done():
        return
    if error is None:
        waiting.future.set_result(None)
    else:
        waiting.future.set_exception(error)
