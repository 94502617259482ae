"""One call to a model until it has a result: attempts, waits between them, and the endpoint that each goes to."""

import asyncio
import math
import time
from functools import partial
from typing import Any

from google.protobuf.message import Message

from lumenmill.common.v1 import access_pb2
from lumenmill_common.authentication import acting_for
from lumenmill_common.caller import Caller
from lumenmill_common.calls import attempt_heavy
from lumenmill_common.errors import (
    CancelledError,
    DataLossError,
    DeadlineExceededError,
    InternalError,
    LumenmillError,
    ResourceExhaustedError,
    UnavailableError,
)
from lumenmill_common.retries import RetryPolicy, RetryState
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.execution.keys import request_id_of
from lumenmill_orchestrator.execution.step_call import StepCall
from lumenmill_orchestrator.mesh import Endpoint, ModelEndpoints, Slot, find_job

__all__ = ["RetryingCall", "call_retries"]

# Part of the delay that is waited where the model is known to serve again, or the job was found.
_SHORT_DELAY_RATIO = 0.2


def call_retries(timeout_s: float) -> RetryPolicy:
    """Return the policy for calls to models, which survive outages of `timeout_s` seconds each."""
    max_attempts: dict[type[LumenmillError], float] = {
        InternalError: 3,
        DataLossError: 2,
        DeadlineExceededError: 2,
        CancelledError: 3,
        # The model works, and its queue says when to come back.
        ResourceExhaustedError: math.inf,
        UnavailableError: math.inf,
    }
    # A service that is restarted or moved now and then while a long job runs has far fewer than 20 outages.
    return RetryPolicy(max_attempts, outage_timeout_s=timeout_s, max_outages=20)


class _Stopwatch:
    """Measures how long a model has worked on a call, without the time that the job waited in the model's own queue."""

    def __init__(self) -> None:
        self._since_s = time.perf_counter()
        self._is_running = False

    def job_queued(self) -> None:
        """Start again: the job waits in a queue."""
        self._since_s, self._is_running = time.perf_counter(), False

    def job_running(self) -> None:
        """Start again at the first of these reports: the job runs."""
        if not self._is_running:
            self._since_s, self._is_running = time.perf_counter(), True

    def elapsed_s(self) -> float:
        """Return the seconds until now."""
        return time.perf_counter() - self._since_s


class RetryingCall:
    """The attempts of one call. It begins with a slot, and may move to other endpoints."""

    def __init__(self, call: StepCall, slot: Slot, model: ModelEndpoints, retries: RetryPolicy) -> None:
        self._call, self._slot, self._model = call, slot, model
        self._request_id = request_id_of(call.content_key, call.request)
        request: Any = type(call.request)()
        request.CopyFrom(call.request)
        request.job.request_id, request.job.priority = self._request_id, call.run.priority
        request.job.run_id = call.run.id
        self._request = request
        # What the submitter may do was checked when the run was submitted.
        self._metadata = acting_for(Caller(call.run.submitter, access_pb2.CALLER_ROLE_SERVICE))
        self._retries, self._watch = RetryState(retries), _Stopwatch()
        self.num_attempts = 0
        self.found_job = False
        """Whether the result is of a job that was started before: its duration is not known."""

    @property
    def duration_s(self) -> float:
        """Seconds for which the model has worked on the last attempt."""
        return self._watch.elapsed_s()

    async def result(self) -> Message:
        """Make attempts until one succeeds, and return its result.

        Raises:
            LumenmillError: the failure that is not retried any more.
        """
        run, step = self._call.run, self._call.step
        run.step_started(self._call.instance.step_name)
        try:
            if self._call.may_have_started:
                await self._move_to_job(is_broken=False)
            while True:
                self.num_attempts += 1
                endpoint = self._slot.endpoint
                run.jobs.setdefault(self._request_id, set()).add(endpoint)
                stub = partial(endpoint.stub(step.method), metadata=self._metadata)
                try:
                    return await attempt_heavy(stub, self._request, on_event=self._on_event, timeout_s=step.timeout_s)  # type: ignore[no-any-return]  # any result
                except LumenmillError as error:
                    await self._prepare_retry(error)
        finally:
            run.jobs.pop(self._request_id, None)
            run.step_ended(self._call.instance.step_name)

    def _on_event(self, response: Any) -> None:
        self._retries.answered()
        if response.WhichOneof("event") == "progress":
            self._watch.job_running()
            self._call.run.report_progress(self._call.instance.step_name, response.progress)
        else:
            self._watch.job_queued()

    async def _prepare_retry(self, error: LumenmillError) -> None:
        """Wait until the next attempt, with the slot where it goes: at the endpoint of the job, or else at a free one.

        Raises:
            LumenmillError: `error`, when it is not retried, or that no endpoint serves.
        """
        metrics.RETRIES.labels(self._call.step.model_name, error.code.name).inc()
        delay_s = self._retries.record_failure(error)
        if delay_s is None:
            raise error
        endpoint = self._slot.endpoint
        if isinstance(error, UnavailableError):
            self._report_outage(endpoint, error, delay_s)
        if isinstance(error, UnavailableError | DeadlineExceededError) and await self._move_to_job(is_broken=True):
            await asyncio.sleep(delay_s * _SHORT_DELAY_RATIO)
            return
        if isinstance(error, ResourceExhaustedError):
            endpoint.back_off(delay_s)
        await self._move_to_free_slot(error, delay_s)

    def _report_outage(self, endpoint: Endpoint, error: UnavailableError, delay_s: float) -> None:
        endpoint.back_off(max(error.retry_delay_s, delay_s * _SHORT_DELAY_RATIO))
        if error.retry_delay_s:
            endpoint.probe_soon()
        else:  # not the answer of a service: the connection broke
            endpoint.mark_broken()
            self._model.resolve_soon()

    async def _move_to_job(self, *, is_broken: bool) -> bool:
        """Take a slot at the endpoint that has the job already, and return whether one has."""
        found = await find_job(self._model, self._request_id, self._slot.endpoint, is_broken=is_broken)
        if found is None:
            return False
        self._slot.take(found)
        self.found_job = True
        return True

    async def _move_to_free_slot(self, error: LumenmillError, delay_s: float) -> None:
        self._slot.release()
        self._watch.job_queued()
        self.found_job = False
        is_refused = isinstance(error, UnavailableError | ResourceExhaustedError)
        if not is_refused or all(endpoint.is_backing_off for endpoint in self._model.serving):
            await self._delay(error, delay_s)
        start_s, unserved_s = time.monotonic(), self._model.unserved_s
        await self._slot.acquire()
        self._retries.exclude(time.monotonic() - start_s - (self._model.unserved_s - unserved_s))

    async def _delay(self, error: LumenmillError, delay_s: float) -> None:
        """Wait before the next attempt; after UNAVAILABLE only until the model serves again."""
        if isinstance(error, UnavailableError):
            start_s = time.monotonic()
            await self._model.wait_until_serving(delay_s)
            # One that says that it serves, and yet refused, is not called again at once.
            shortest_s = max(error.retry_delay_s, delay_s * _SHORT_DELAY_RATIO)
            delay_s = min(delay_s - (time.monotonic() - start_s), shortest_s)
        await asyncio.sleep(max(delay_s, 0.0))
