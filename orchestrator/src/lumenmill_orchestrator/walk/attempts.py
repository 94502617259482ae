"""One call until it has a result: attempts, the time between them, and the endpoint that each goes to."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from lumenmill_common.calls import RetryPolicy, call_heavy
from lumenmill_common.errors import (
    DeadlineExceededError,
    LumenmillError,
    ResourceExhaustedError,
    UnavailableError,
)

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.mesh import Endpoint, MeshModel, ModelAbsentError, Place, whereabouts
from lumenmill_orchestrator.recipe import Step
from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.patience import Patience

__all__ = ["Attempts", "Stopwatch"]

_ONCE = RetryPolicy(max_attempts=1)
# Part of the wait that is left when a model that was away says that it serves again.
_SETTLE = 0.2


class Stopwatch:
    """Seconds that a model worked on a call: what it waited in the model's queue does not count."""

    def __init__(self) -> None:
        self._since_s = time.perf_counter()
        self._works = False

    def waits(self) -> None:
        """The job is queued (again)."""
        self._since_s, self._works = time.perf_counter(), False

    def works(self) -> None:
        """The job runs; it has since the first time that this was told."""
        if not self._works:
            self._since_s, self._works = time.perf_counter(), True

    def elapsed_s(self) -> float:
        """Seconds until now."""
        return time.perf_counter() - self._since_s


class Attempts:
    """The attempts of one call, which has a place to begin with."""

    def __init__(
        self, run: ActiveRun, step: Step, request: Any, model: MeshModel, place: Place, patience_s: float
    ) -> None:
        """`request` carries its request id; `patience_s` is the time for which an outage is borne."""
        self._run, self._step, self._request, self.request_id = run, step, request, request.job.request_id
        self._model, self._place = model, place
        self._patience, self.watch = Patience(patience_s), Stopwatch()
        self.num_made = 0
        self.was_found = False
        """Whether the result is of a job that somebody had started before: its time says nothing."""

    async def outcome(self, *, may_run_already: bool, on_event: Callable[[Any], None]) -> Message | LumenmillError:
        """The result, or the failure that ended the attempts. `may_run_already` asks for the job before it is made."""
        if may_run_already:
            await self._go_where_it_is(broke=False)
        while True:
            error = await self._attempt(on_event)
            if not isinstance(error, LumenmillError):
                return error
            metrics.RETRIES.labels(self._step.model, error.code.name).inc()
            delay_s = self._patience.delay_s(error)
            if delay_s is None:
                return error
            try:
                await self._move_on(error, delay_s)
            except ModelAbsentError as absent:
                return absent

    async def _attempt(self, on_event: Callable[[Any], None]) -> Message | LumenmillError:
        self.num_made += 1
        endpoint = self._place.endpoint
        self._run.jobs.setdefault(self.request_id, set()).add(endpoint)

        def on_news(response: Any) -> None:
            self._patience.news()
            if response.WhichOneof("event") == "progress":
                self.watch.works()
            else:
                self.watch.waits()
            on_event(response)

        stub, timeout_s = endpoint.stub(self._step.method), self._step.timeout_s
        try:
            result: Message = await call_heavy(stub, self._request, on_event=on_news, timeout_s=timeout_s, retry=_ONCE)
        except TimeoutError:
            return DeadlineExceededError(f"no result within {timeout_s} s")
        except LumenmillError as error:
            return error
        return result

    async def _move_on(self, error: LumenmillError, delay_s: float) -> None:
        """Find the place of the next attempt: where the job is, or else where there is room, after some time."""
        if isinstance(error, UnavailableError):
            self._heed(self._place.endpoint, error, delay_s)
        if isinstance(error, UnavailableError | DeadlineExceededError) and await self._go_where_it_is(broke=True):
            await asyncio.sleep(delay_s * _SETTLE)
            return
        if isinstance(error, ResourceExhaustedError):
            self._place.endpoint.hold_back(delay_s)
        self._place.leave()
        self.watch.waits()
        self.was_found = False
        is_refused = isinstance(error, UnavailableError | ResourceExhaustedError)
        if not is_refused or all(endpoint.is_held_back for endpoint in self._model.serving):
            await self._sleep(error, delay_s)
        began_s, lost_s = time.monotonic(), self._model.lost_s
        await self._place.enter()
        self._patience.excuse(time.monotonic() - began_s - (self._model.lost_s - lost_s))

    def _heed(self, endpoint: Endpoint, error: UnavailableError, delay_s: float) -> None:
        """An endpoint is away, or says that it will be."""
        endpoint.hold_back(max(error.retry_delay_s, delay_s * _SETTLE))
        if error.retry_delay_s:
            endpoint.doubt()
        else:  # no service said so: the connection broke
            endpoint.broke()
            self._model.look_again()

    async def _go_where_it_is(self, *, broke: bool) -> bool:
        """Be at the endpoint that has the job already, if one has."""
        found = await whereabouts(self._model, self.request_id, self._place.endpoint, broke=broke)
        if found is None:
            return False
        self._place.take(found)
        self.was_found = True
        return True

    async def _sleep(self, error: LumenmillError, delay_s: float) -> None:
        """Wait before the next attempt; for a model that is away no longer than until it serves again."""
        if isinstance(error, UnavailableError):
            since_s = time.monotonic()
            await self._model.until_serving(delay_s)
            # One that says that it serves and yet refuses is not asked again at once.
            delay_s = min(delay_s - (time.monotonic() - since_s), max(error.retry_delay_s, delay_s * _SETTLE))
        await asyncio.sleep(max(delay_s, 0.0))
