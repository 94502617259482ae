"""One process that serves a model: what it says about itself, and the calls that it was given."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from lumenmill.common.v1 import job_pb2, job_pb2_grpc, model_pb2, model_pb2_grpc
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.errors import LumenmillError
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.contracts import Method, message_class

__all__ = ["Call", "Endpoint"]

_AGAIN_S = 0.5
_FRESH_S = 10.0
_ANSWER_WITHIN_S = 3.0
_ASK_AGAIN_S = 0.1
_numbers = itertools.count()
_log = get_logger(__name__)


@dataclass(frozen=True)
class Call:
    """A call that wants a place at a model. Of those that wait the smallest order goes first, then who came first."""

    kind: str
    """The RPC as recipes name it: `relighter.Relight`."""
    run_id: str
    step: str
    order: tuple[int, ...]

    @property
    def doing(self) -> str:
        """What it does, for people: `relit (demo-1a2b3c4d)`."""
        return f"{self.step} ({self.run_id})"


class Endpoint:
    """One address, with a channel of its own that reaches this process and no other."""

    def __init__(
        self,
        address: str,
        security: SecuritySettings,
        tls_name: str | None,
        asking: asyncio.Semaphore,
        on_change: Callable[[], None],
    ) -> None:
        """`asking` bounds how many endpoints of the mesh are asked at once. `on_change` is called when it begins or
        ceases to serve, and when it describes itself differently."""
        self.address = address
        self.number = next(_numbers)
        """Grows with every endpoint: the greatest was seen last."""
        self.channel = connect(address, security, one_process=True, tls_name=tls_name)
        self.model: model_pb2.Model | None = None
        self.answers, self.serving = False, False
        self.calls: dict[object, Call] = {}
        """What it was given and has not answered, by place."""
        self.told = asyncio.Event()
        """Set once it is known whether it answers."""
        self._asking, self._on_change = asking, on_change
        self._wake, self._task = asyncio.Event(), None  # type: tuple[asyncio.Event, asyncio.Task[None] | None]
        self._held_until_s, self._is_closed = 0.0, False
        self._stubs: dict[str, Any] = {}

    @property
    def num_workers(self) -> int:
        """Calls that it works on at once."""
        return max(self.model.limits.num_workers, 1) if self.model is not None else 1

    @property
    def is_held_back(self) -> bool:
        """Whether it has lately asked to be left alone."""
        return time.monotonic() < self._held_until_s

    def hold_back(self, delay_s: float) -> None:
        """Prefer others for some seconds: it said that it is full or about to go."""
        self._held_until_s = max(self._held_until_s, time.monotonic() + delay_s)
        asyncio.get_running_loop().call_later(delay_s, self._on_change)

    def start(self) -> None:
        """Ask it at once, and go on asking until `stop`."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_asking())

    def stop(self) -> None:
        """It is no longer behind its name: nothing new is for it. Its running calls go on."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.serving = False

    async def close(self) -> None:
        """It has been gone for long: end the channel. Whoever still holds it gets no answers."""
        self.stop()
        self._is_closed = True
        await self.channel.close(grace=None)

    def doubt(self) -> None:
        """Ask it now rather than later."""
        self._wake.set()

    def broke(self) -> None:
        """A connection broke: until it answers again it counts as gone."""
        self._be(serving=False)
        self.doubt()

    async def ask(self) -> None:
        """Ask for its health and, when it serves, for its description."""
        health: Any = health_pb2_grpc.HealthStub(self.channel)
        models = model_pb2_grpc.ModelServiceStub(self.channel)
        answers, is_serving, model = False, False, None
        with contextlib.suppress(LumenmillError):
            async with self._asking:
                status = await call_unary(health.Check, health_pb2.HealthCheckRequest(), timeout_s=_ANSWER_WITHIN_S)
                answers = True
                if status.status == health_pb2.HealthCheckResponse.SERVING:
                    told = await call_unary(models.GetModel, model_pb2.GetModelRequest(), timeout_s=_ANSWER_WITHIN_S)
                    is_serving, model = True, told.model
        self.answers = answers
        # One that was taken from its name meanwhile gets nothing new, whatever it says.
        self._be(serving=is_serving and self._task is not None, model=model)
        self.told.set()

    def stub(self, method: Method) -> Any:
        """The callable of a server-streaming RPC."""
        stub = self._stubs.get(method.path)
        if stub is None:
            stub = self._stubs[method.path] = self.channel.unary_stream(
                method.path,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=message_class(method.response).FromString,
            )
        return stub

    async def job_state(
        self, request_id: str, *, within_s: float, until_connected: bool
    ) -> "job_pb2.JobState.ValueType":
        """What it knows of a job; nothing where it does not answer. `until_connected` waits for a connection that is
        being made again."""
        stub: Any = job_pb2_grpc.JobServiceStub(self.channel)
        request, give_up_s = job_pb2.GetJobRequest(request_id=request_id), time.monotonic() + within_s
        while not self._is_closed and (left_s := give_up_s - time.monotonic()) > 0:
            try:
                answer = await stub.GetJob(request, timeout=left_s, wait_for_ready=until_connected)
            except grpc.RpcError as error:
                if not until_connected or error.code() is not grpc.StatusCode.UNAVAILABLE:
                    break
                # It went out with the connection that just broke.
                await asyncio.sleep(_ASK_AGAIN_S)
            else:
                return answer.state  # type: ignore[no-any-return]  # stubs are not typed for aio
        return job_pb2.JOB_STATE_UNSPECIFIED

    async def cancel_job(self, request_id: str) -> None:
        """End a job for good; one that does not answer, or is gone, has no job to end."""
        if self._is_closed:
            return
        stub = job_pb2_grpc.JobServiceStub(self.channel)
        request = job_pb2.CancelJobRequest(request_id=request_id)
        try:
            await call_unary(stub.CancelJob, request, timeout_s=_ANSWER_WITHIN_S)
        except LumenmillError as error:
            _log.warning("a job could not be cancelled", address=self.address, request_id=request_id, reason=str(error))

    def doing(self) -> Sequence[str]:
        """What it was given, for people, the first first."""
        return [call.doing for call in self.calls.values()]

    def _be(self, *, serving: bool, model: model_pb2.Model | None = None) -> None:
        has_changed = serving != self.serving or (model is not None and model != self.model)
        self.serving, self.model = serving, model or self.model
        if has_changed:
            self._on_change()

    async def _keep_asking(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.ask()
            except Exception as error:  # nothing about one answer may end the asking
                _log.error("an endpoint could not be asked", address=self.address, exc_info=error)
                self._be(serving=False)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FRESH_S if self.serving else _AGAIN_S):
                    await self._wake.wait()
