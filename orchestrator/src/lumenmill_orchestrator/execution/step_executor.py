"""Computations of steps: read from the database, shared with another item that computes the same, or made by a call."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.message import Message

from lumenmill.common.v1 import model_pb2
from lumenmill_common.errors import CancelledError, DeadlineExceededError, LumenmillError
from lumenmill_orchestrator.execution.keys import content_key
from lumenmill_orchestrator.execution.records import result_revision
from lumenmill_orchestrator.execution.retrying_call import RetryingCall, call_retries
from lumenmill_orchestrator.execution.step_call import StepCall
from lumenmill_orchestrator.mesh import Endpoint, Mesh, ModelQueues, ModelUnavailableError, RunPausedError, Slot
from lumenmill_orchestrator.recipe import Step
from lumenmill_orchestrator.storage import ResultReader

__all__ = ["Computation", "StepExecutor", "failed_computation"]


@dataclass(frozen=True)
class Computation:
    """The result of one content key, or the error that it ended with."""

    model_name: str
    request: Message
    content_key: str = ""
    """Empty when the call was never made."""
    model: model_pb2.Model = field(default_factory=model_pb2.Model)
    result: Message | None = None
    error: LumenmillError | None = None
    reused: bool = False
    start_time: float = field(default_factory=time.time)
    """Unix seconds."""
    duration_s: float = 0.0
    num_attempts: int = 0

    @property
    def failure(self) -> str:
        """Why there is no result: `UNAVAILABLE: …`."""
        return f"{self.error.code.name}: {self.error.message}" if self.error is not None else "no result"


@dataclass
class _SharedComputation:
    """A content key while at least one item computes or stores it: who computes it, and the outcome."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    num_users: int = 0
    outcome: Computation | None = None

    @property
    def is_free(self) -> bool:
        """Whether nobody has computed it, or does so now."""
        return self.outcome is None and not self.lock.locked()


class StepExecutor:
    """Computes each content key once."""

    def __init__(self, mesh: Mesh, queues: ModelQueues, reader: ResultReader, retry_timeout_s: float) -> None:
        self._mesh, self._queues, self._reader = mesh, queues, reader
        self._retries = call_retries(retry_timeout_s)
        self._shared: dict[str, _SharedComputation] = {}

    @contextlib.asynccontextmanager
    async def compute(self, call: StepCall) -> AsyncIterator[Computation]:
        """Yield the computation of a call: a persisted result, that of another item, or that of the model.

        The caller stores it inside the block: an equal call shares it until the block ends, and reads it from the
        database from then on. A failure of the call is a computation with an `error`.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is unavailable.
        """
        unavailable: Computation | None = None
        try:
            call = await self._identified(call)
        except ModelUnavailableError as error:
            unavailable = failed_computation(call.step, error)
        with self._sharing(call.content_key) as shared:
            made = unavailable or await self._persisted(call)
            while made is None and shared.outcome is None:
                await call.run.unpaused.wait()  # a paused run holds neither slot nor lock
                try:
                    async with self._queues.of(call.step.model_name).slot(call.queued) as slot:
                        if shared.is_free and call.run.unpaused.is_set():
                            async with shared.lock:
                                made = await self._call_model(call, slot)
                                self._share(call, shared, made)
                except RunPausedError:
                    continue
                except ModelUnavailableError as error:
                    made = _computation(call, error=error)
                if made is None:
                    async with shared.lock:
                        pass  # another item computes it
            yield made or _reused(call, shared.outcome)

    async def _identified(self, call: StepCall) -> StepCall:
        """Return a call with its model and its content key.

        Raises:
            ModelUnavailableError: the model has not described itself.
        """
        model = await self._queues.of(call.step.model_name).description(call.run.id)
        return replace(call, model=model, content_key=content_key(call.step.method, model, call.request))

    @contextlib.contextmanager
    def _sharing(self, key: str) -> Iterator[_SharedComputation]:
        shared = self._shared.setdefault(key, _SharedComputation())
        shared.num_users += 1
        try:
            yield shared
        finally:
            shared.num_users -= 1
            if not shared.num_users:
                self._end_sharing(key, shared)

    async def _persisted(self, call: StepCall) -> Computation | None:
        stored = await self._reader.get(call.content_key)
        if stored is None:
            return None
        result = call.step.method.new_result()
        result.ParseFromString(stored)
        return _computation(call, result=result, reused=True)

    async def _call_model(self, call: StepCall, slot: Slot) -> Computation:
        start_time, result, failure = time.time(), None, None
        attempts = RetryingCall(call, slot, self._mesh.model(call.step.model_name), self._retries)
        try:
            result = await attempts.result()
        except LumenmillError as error:
            failure = error
        made = _computation(
            call, result=result, error=failure, start_time=start_time,
            duration_s=attempts.duration_s, num_attempts=attempts.num_attempts,
        )  # fmt: skip
        if result is None:
            return made
        if not attempts.found_job:
            self._queues.call_seconds.add(call.step.model_name, call.step.method.call, made.duration_s)
        return await self._with_actual_revision(call, made, result, slot.endpoint)

    def _share(self, call: StepCall, shared: _SharedComputation, made: Computation) -> None:
        """Provide a computation to all who wait for it; a failure that is the caller's own is not shared."""
        if call.run.stopped.is_set() or isinstance(made.error, CancelledError | DeadlineExceededError):
            return
        shared.outcome = made
        if made.error is not None:
            self._end_sharing(call.content_key, shared)  # later calls make attempts of their own

    def _end_sharing(self, key: str, shared: _SharedComputation) -> None:
        if self._shared.get(key) is shared:
            del self._shared[key]

    async def _with_actual_revision(
        self, call: StepCall, made: Computation, result: Message, endpoint: Endpoint
    ) -> Computation:
        """Return the computation under the revision that made it, which may differ from the requested one during an
        upgrade."""
        revision = result_revision(result) or (endpoint.model.revision if endpoint.model is not None else "")
        if revision in ("", made.model.revision):
            return made
        if endpoint.model is None or endpoint.model.revision != revision:
            await endpoint.probe()
        model = model_pb2.Model()
        model.CopyFrom(endpoint.model or made.model)
        model.revision = revision
        return replace(made, model=model, content_key=content_key(call.step.method, model, call.request))


def failed_computation(step: Step, error: LumenmillError) -> Computation:
    """Return the computation of a call that could not be made."""
    return Computation(step.model_name, step.method.new_request(), error=error)


def _reused(call: StepCall, made: Computation | None) -> Computation:
    if made is None:
        raise RuntimeError("nothing was computed to reuse")
    return replace(made, request=call.request, reused=made.result is not None, duration_s=0.0, num_attempts=0)


def _computation(call: StepCall, **outcome: Any) -> Computation:
    return Computation(call.step.model_name, call.request, call.content_key, call.model, **outcome)
