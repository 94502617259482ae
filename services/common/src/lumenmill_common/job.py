"""One job: its state for the callers, and the context for the family that computes it."""

import asyncio
import contextvars
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

from google.protobuf.message import Message

from lumenmill.common.v1.generation_pb2 import JobOptions, JobPriority, Progress, StageTime
from lumenmill.common.v1.job_pb2 import JobState
from lumenmill_common.caller import current_caller
from lumenmill_common.errors import CancelledError, InternalError
from lumenmill_common.fair_queue import Place
from lumenmill_common.telemetry import JOB_STAGE_DURATION

__all__ = ["HeavyRequest", "Job", "JobContext", "event_name", "job_of"]

# Callers get progress at most this often within a stage; the start of a stage is always published.
_PROGRESS_INTERVAL_S = 0.1


class HeavyRequest(Protocol):
    """Any request that has JobOptions in its field `job`."""

    @property
    def job(self) -> JobOptions:
        """Request id, priority and run."""


class Job:
    """A unit of work with any number of callers. Only the fields marked as shared are accessed by threads."""

    def __init__(
        self,
        key: str,
        request_name: str,
        fingerprint: bytes,
        request_id: str,
        place: Place,
        result_type: type[Message],
    ) -> None:
        self.key, self.request_name, self.fingerprint, self.request_id = key, request_name, fingerprint, request_id
        self.place, self.result_type = place, result_type
        self.num_callers = 0
        self.running = False
        self.queued_since_s = time.monotonic()
        self.result: Message | None = None
        self.error: BaseException | None = None
        self.progress: Progress | None = None  # shared: replaced as a whole by the worker
        self.cancelled = threading.Event()  # shared
        self.stopped_by_drain = False  # shared
        """Whether the shutdown of this service has cancelled it, rather than its callers."""
        self.context_vars = contextvars.copy_context()
        self._grace_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()
        """Set at the next change. Take it before reading the state, then wait for it."""

    @property
    def submitter(self) -> str:
        """Name of the caller that started it; empty in a mesh without tokens."""
        return self.place.caller

    @property
    def done(self) -> bool:
        """Whether it has a result or an error."""
        return self.result is not None or self.error is not None

    @property
    def is_abandoned(self) -> bool:
        """Whether its callers have cancelled it."""
        return self.cancelled.is_set() and not self.stopped_by_drain

    @property
    def state(self) -> "JobState.ValueType":
        """The state for GetJob; unspecified for a cancelled job."""
        if self.cancelled.is_set():
            return JobState.JOB_STATE_UNSPECIFIED
        if self.done:
            return JobState.JOB_STATE_FINISHED
        return JobState.JOB_STATE_RUNNING if self.running else JobState.JOB_STATE_QUEUED

    def finish(self, result: Message | None, error: BaseException | None) -> None:
        """Set the result or the error and notify the callers."""
        self.result, self.error, self.running = result, error, False
        self.stop_grace_timer()
        self.notify()

    def start_grace_timer(self, timer: asyncio.TimerHandle) -> None:
        """Set the timer that cancels the job without callers."""
        self._grace_timer = timer

    def stop_grace_timer(self) -> None:
        """Stop that timer, if it runs."""
        if self._grace_timer:
            self._grace_timer.cancel()
            self._grace_timer = None

    def notify(self) -> None:
        """Wake every caller. Callers read the newest state, so no events accumulate for a slow one."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def notify_from_worker(self) -> None:
        """As `notify`, from another thread. Has no effect after the loop has closed."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.notify)


def job_of(request: HeavyRequest, response_type: type[Message]) -> Job:
    """Return a new job of the current caller; `response_type` has a oneof `event` that includes `result`."""
    options, message, response = request.job, cast(Message, request), cast(Any, response_type())
    bare = type(message)()
    bare.CopyFrom(message)
    bare.ClearField("job")
    fingerprint = hashlib.sha256(bare.SerializeToString(deterministic=True)).digest()
    key = f"{message.DESCRIPTOR.full_name}:{options.request_id}"
    name, result_type = message.DESCRIPTOR.name, type(response.result)
    priority = options.priority or JobPriority.JOB_PRIORITY_NORMAL
    place = Place(priority, current_caller().name, options.run_id)
    return Job(key, name, fingerprint, options.request_id, place, result_type)


def event_name(event: Message, response_type: type[Message]) -> str:
    """Return the name of the field in the oneof `event` that has the type of this message."""
    for field in response_type.DESCRIPTOR.oneofs_by_name["event"].fields:
        if field.message_type is event.DESCRIPTOR:
            return str(field.name)
    raise InternalError(f"{response_type.DESCRIPTOR.name} has no event {event.DESCRIPTOR.name}")


class JobContext:
    """What a family uses while it computes a job: progress, cancellation, stage times. Used from the worker thread."""

    def __init__(self, job: Job, queue: str) -> None:
        self._job, self._queue = job, queue
        self._batch: tuple[Job, ...] = (job,)
        self._published_at_s = 0.0
        self.request_id = job.request_id
        self.stage_times: list[StageTime] = []

    def join_batch(self, batch: tuple[Job, ...]) -> None:
        """Make it a part of a batch: the work then stops only when every job of the batch is cancelled."""
        self._batch = batch

    def check_cancelled(self) -> None:
        """Call it at every step.

        Raises:
            CancelledError: nobody needs the result any more; do not catch it.
        """
        if all(job.cancelled.is_set() for job in self._batch):
            raise CancelledError("the job was cancelled")

    def progress(self, stage: str, step: int = 0, total: int = 0) -> None:
        """Report progress to the callers, after `check_cancelled`. `total` 0 means unknown."""
        self.check_cancelled()
        before, now_s = self._job.progress, time.monotonic()
        self._job.progress = Progress(stage=stage, step=step, total=total)
        is_new = before is None or before.stage != stage or step == total
        if is_new or now_s - self._published_at_s > _PROGRESS_INTERVAL_S:
            self._published_at_s = now_s
            self._job.notify_from_worker()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Report that a stage starts and add its duration to `stage_times`; stages of the same name add up."""
        self.progress(name)
        started_s = time.monotonic()
        try:
            yield
        finally:
            self.add_stage_time(name, time.monotonic() - started_s)

    def add_stage_time(self, name: str, duration_s: float) -> None:
        """Add seconds that were measured elsewhere to a stage."""
        JOB_STAGE_DURATION.labels(self._queue, name).observe(duration_s)
        known = next((entry for entry in self.stage_times if entry.stage == name), None)
        if known is None:
            self.stage_times.append(StageTime(stage=name, duration_s=duration_s))
        else:
            known.duration_s += duration_s
