"""One process that serves a model: its health and description, and the calls that were sent to it."""

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from lumenmill.common.v1 import job_pb2, job_pb2_grpc, model_pb2, model_pb2_grpc
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.errors import LumenmillError, NotFoundError, UnavailableError
from lumenmill_common.fair_queue import Place
from lumenmill_common.retries import RetryPolicy, RetryState, retrying
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.contracts import Method, message_class

__all__ = ["Call", "Endpoint"]

_PROBE_UNREADY_S, _PROBE_READY_S = 0.5, 10.0
_ANSWER_WITHIN_S = 3.0
# While a broken connection is made again.
_RECONNECTING = RetryPolicy({UnavailableError: math.inf}, initial_backoff_s=0.1, max_backoff_s=0.1)
_NO_RETRIES = RetryPolicy({})
_numbers = itertools.count()
_log = get_logger(__name__)


@dataclass(frozen=True)
class Call:
    """A call in a model queue."""

    kind: str
    """The RPC as recipes name it: `relighter.Relight`."""
    step: str
    place: Place
    """In the queue: of calls of one run, that of the earliest item goes first."""

    @property
    def run_id(self) -> str:
        """The run whose step makes it."""
        return self.place.run_id

    @property
    def label(self) -> str:
        """The call for people: `relit (demo-1a2b3c4d)`."""
        return f"{self.step} ({self.run_id})"


class Endpoint:
    """One address, with a channel of its own that reaches this process only."""

    def __init__(
        self,
        address: str,
        security: SecuritySettings,
        tls_name: str | None,
        probe_limit: asyncio.Semaphore,
        on_change: Callable[[], None],
    ) -> None:
        """`probe_limit` bounds how many endpoints of the mesh are probed at once. `on_change` is called when it begins
        or ceases to serve, and when its description changes."""
        self.address = address
        self.number = next(_numbers)
        """Grows with every endpoint: the greatest was added last."""
        self.channel = connect(address, security, one_process=True, tls_name=tls_name)
        self.model: model_pb2.Model | None = None
        self.responds, self.serving = False, False
        self.calls: dict[object, Call] = {}
        """Calls that were sent to it and not answered, by slot."""
        self.probed = asyncio.Event()
        """Set after the first probe."""
        self._probe_limit, self._on_change = probe_limit, on_change
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._backs_off_until_s, self._is_closed = 0.0, False
        self._stubs: dict[str, Any] = {}

    @property
    def num_workers(self) -> int:
        """Calls that it executes at once."""
        return max(self.model.limits.num_workers, 1) if self.model is not None else 1

    @property
    def is_backing_off(self) -> bool:
        """Whether other endpoints are preferred for now."""
        return time.monotonic() < self._backs_off_until_s

    def back_off(self, delay_s: float) -> None:
        """Prefer other endpoints for some seconds: this one is full, or unavailable."""
        self._backs_off_until_s = max(self._backs_off_until_s, time.monotonic() + delay_s)
        asyncio.get_running_loop().call_later(delay_s, self._on_change)

    def start(self) -> None:
        """Probe it at once, and regularly until `stop`."""
        if self._task is None:
            self._task = asyncio.create_task(self._probe_forever())

    def stop(self) -> None:
        """Send it no more calls: its address was removed. Running calls continue."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.serving = False

    async def close(self) -> None:
        """Close the channel; later requests get no answer."""
        self.stop()
        self._is_closed = True
        await self.channel.close(grace=None)

    def probe_soon(self) -> None:
        """Probe it now rather than at the next regular time."""
        self._wake.set()

    def mark_broken(self) -> None:
        """Record that a connection broke: it does not serve until it answers a probe."""
        self._update(serving=False)
        self.probe_soon()

    async def probe(self) -> None:
        """Read its health and, when it serves, its description."""
        health: Any = health_pb2_grpc.HealthStub(self.channel)
        models = model_pb2_grpc.ModelServiceStub(self.channel)
        responds, is_serving, model = False, False, None
        with contextlib.suppress(LumenmillError):
            async with self._probe_limit:
                status = await call_unary(health.Check, health_pb2.HealthCheckRequest(), timeout_s=_ANSWER_WITHIN_S)
                responds = True
                if status.status == health_pb2.HealthCheckResponse.SERVING:
                    request = model_pb2.GetModelRequest()
                    model = (await call_unary(models.GetModel, request, timeout_s=_ANSWER_WITHIN_S)).model
                    is_serving = True
        self.responds = responds
        # One whose address was removed meanwhile gets no more calls, whatever it answers.
        self._update(serving=is_serving and self._task is not None, model=model)
        self.probed.set()

    def stub(self, method: Method) -> Any:
        """Return the callable of a server-streaming RPC."""
        stub = self._stubs.get(method.path)
        if stub is None:
            stub = self._stubs[method.path] = self.channel.unary_stream(
                method.path,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=message_class(method.response).FromString,
            )
        return stub

    async def job_state(
        self, request_id: str, *, timeout_s: float, wait_for_connection: bool
    ) -> "job_pb2.JobState.ValueType":
        """Return the state of a job; JOB_STATE_UNSPECIFIED where the endpoint does not know it or does not answer.

        `wait_for_connection` waits for a connection that is being made again.
        """
        stub: Any = job_pb2_grpc.JobServiceStub(self.channel)
        get_job = partial(stub.GetJob, wait_for_ready=wait_for_connection)
        request = job_pb2.GetJobRequest(request_id=request_id)
        # A request is lost that was sent on the connection that just broke.
        state = RetryState(_RECONNECTING if wait_for_connection else _NO_RETRIES)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await retrying(lambda: self._call_unless_closed(get_job, request, timeout_s), state)
                return answer.state  # type: ignore[no-any-return]  # stubs are not typed for aio
        except (TimeoutError, LumenmillError):
            return job_pb2.JOB_STATE_UNSPECIFIED

    async def _call_unless_closed(self, method: Any, request: Any, timeout_s: float) -> Any:
        if self._is_closed:
            raise NotFoundError(f"{self.address} is closed")
        return await call_unary(method, request, timeout_s=timeout_s)

    async def cancel_job(self, request_id: str) -> None:
        """Cancel a job. An endpoint that does not answer, or is closed, is ignored."""
        if self._is_closed:
            return
        stub = job_pb2_grpc.JobServiceStub(self.channel)
        request = job_pb2.CancelJobRequest(request_id=request_id)
        try:
            await call_unary(stub.CancelJob, request, timeout_s=_ANSWER_WITHIN_S)
        except LumenmillError as error:
            _log.warning("a job could not be cancelled", address=self.address, request_id=request_id, reason=str(error))

    def _update(self, *, serving: bool, model: model_pb2.Model | None = None) -> None:
        has_changed = serving != self.serving or (model is not None and model != self.model)
        self.serving, self.model = serving, model or self.model
        if has_changed:
            self._on_change()

    async def _probe_forever(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.probe()
            except Exception as error:  # a faulty answer must not end the probing
                _log.error("an endpoint could not be probed", address=self.address, exc_info=error)
                self._update(serving=False)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PROBE_READY_S if self.serving else _PROBE_UNREADY_S):
                    await self._wake.wait()
