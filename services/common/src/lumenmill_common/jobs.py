"""Heavy work: a bounded queue that callers share, one worker thread per device, and re-attachment by request id.

A call with a known request id attaches to the waiting or running job, or gets its finished result, even that of an
earlier process: the work is not repeated. When the last caller of a job disconnects, the job lives on for a grace
period, so that a restarted caller can attach again, and is then cancelled at its next step.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from lumenmill.common.v1.generation_pb2 import JobOptions, Queued
from lumenmill.common.v1.job_pb2 import JobState
from lumenmill.common.v1.model_pb2 import Model
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.caller import current_caller, require_priority
from lumenmill_common.errors import (
    CancelledError,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnavailableError,
)
from lumenmill_common.inline_media import with_inline_media
from lumenmill_common.job import HeavyRequest, Job, JobContext, event_name, job_of
from lumenmill_common.job_registry import JobRegistry
from lumenmill_common.persisted_results import PersistedResults
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.telemetry import JOBS_REATTACHED
from lumenmill_common.waiting_jobs import WaitingJobs
from lumenmill_common.work import BatchWork, DeferredWork, Work, in_worker
from lumenmill_common.workers import SHUTTING_DOWN, Workers

__all__ = ["BatchWork", "DeferredWork", "HeavyRequest", "JobContext", "JobQueue", "Work", "in_worker", "jobs_from"]

ResponseT = TypeVar("ResponseT", bound=Message)


class JobQueue:
    """The jobs of one process. All contracts of a service share one queue, since they share its device."""

    def __init__(
        self,
        name: str,
        *,
        num_workers: int = 1,
        max_queue_length: int = 64,
        max_queued_per_caller: int = 32,
        grace_period_s: float = 60.0,
        result_ttl_s: float = 900.0,
        max_batch_size: int = 1,
        store: ArtifactStore | None = None,
        persist_results_over_s: float = 1.0,
    ) -> None:
        """`max_queued_per_caller` jobs of one caller may wait, unless it is a part of the mesh or has no name.

        `store` holds the media for callers that ask for `inline_results`, which are refused without a store, and
        the results of jobs that took `persist_results_over_s` seconds or more."""
        self.store = store
        self._persisted = PersistedResults(store, persist_results_over_s) if store is not None else None
        self.name, self.num_workers, self.max_queue_length = name, num_workers, max_queue_length
        self._max_queued_per_caller = max_queued_per_caller
        JOBS_REATTACHED.labels(name)  # exists from the start, so that the first increment is seen as an increase
        self._grace_period_s = grace_period_s
        self._jobs, self._waiting = JobRegistry(result_ttl_s), WaitingJobs(name, max_batch_size)
        self._workers = Workers(name, num_workers, self._jobs, self._waiting, self._persisted)
        self.is_draining = False
        """Whether it refuses new jobs."""

    # For servers.

    async def run_in_workers(self, function: Callable[[], None]) -> None:
        """Run a function once in every worker thread, one after another: to load a model, for example."""
        await self._workers.run_in_each(function)

    def start(self, model: Model) -> None:
        """Start to execute jobs, all with one model."""
        if self._persisted is not None:
            self._persisted.model_identity = f"{model.family}/{model.name}/{model.revision}"
        self._workers.start()

    async def stop(self, drain_s: float) -> None:
        """Refuse new and waiting jobs; running ones get `drain_s` seconds to finish and 10 s to reach their next step.

        Callers of jobs that have not finished by then get UNAVAILABLE: other processes may repeat the work.
        """
        self.is_draining = True
        for job in self._waiting.remove_all():
            self._jobs.finish(job, error=UnavailableError(SHUTTING_DOWN))
        await self._workers.stop(drain_s)

    def cancel(self, request_id: str) -> bool:
        """Cancel the waiting or running jobs with a request id; return whether there was one.

        Raises:
            PermissionDeniedError: the current caller is neither the one that started them nor an admin.
        """
        active = [job for job in self._jobs.with_request_id(request_id) if not job.done]
        for job in active:
            current_caller().require_control(job.submitter, f"cancelling job `{request_id}`")
        for job in active:
            self._cancel(job)
        return bool(active)

    def state_of(self, request_id: str) -> "JobState.ValueType":
        """Return the state of the job with a request id; of several, the most advanced one."""
        states = (job.state for job in self._jobs.with_request_id(request_id))
        return max(states, default=JobState.JOB_STATE_UNSPECIFIED)

    def submitter_of(self, request_id: str) -> str:
        """Return the name of the caller that started the job with a request id; of several, the most advanced one."""
        jobs = self._jobs.with_request_id(request_id)
        return max(jobs, key=lambda job: job.state).submitter if jobs else ""

    # For calls.

    async def respond(
        self,
        request: HeavyRequest,
        response_type: type[ResponseT],
        work: Work | BatchWork,
        deadline_s: float | None = None,
    ) -> AsyncIterator[ResponseT]:
        """Yield the responses to a heavy request: queued and progress events, then the result.

        `response_type` has the oneof `event` of `queued`, `progress` and `result`. `deadline_s` is the time that the
        caller has left.

        Raises:
            InvalidArgumentError: the request id is known with another request.
            PermissionDeniedError: the priority needs another role.
            ResourceExhaustedError: the queue is full, or has as many jobs of this caller as it may.
            UnavailableError: the service is shutting down.
            DeadlineExceededError: the work would finish too late; says how long it takes.
            LumenmillError: the error of the work.
        """
        require_priority(request.job.priority)
        work = work.as_batch() if isinstance(work, Work) else work
        job = job_of(request, response_type)
        if self._jobs.get(job.key) is None and self._misses_deadline(job, work, deadline_s):
            await self._find_persisted(job)
        job = self._attach(job, work, deadline_s)
        try:
            async for event in self._events(job):
                sent = await self._with_inline_media(event, job, request.job)
                yield response_type(**{event_name(sent, response_type): sent})
        finally:
            self._detach(job)

    async def _with_inline_media(self, event: Message, job: Job, options: JobOptions) -> Message:
        if not options.inline_results or event is not job.result:
            return event
        if self.store is None:
            raise FailedPreconditionError("this service has no store to read media from", "job.inline_results")
        return await asyncio.to_thread(with_inline_media, event, self.store)

    async def _find_persisted(self, job: Job) -> None:
        """Look for the result of an earlier process, which takes no time, before the deadline is checked.

        Workers look for all other jobs.
        """
        result = await asyncio.to_thread(self._persisted.find, job) if self._persisted is not None else None
        if result is not None and self._jobs.get(job.key) is None:
            self._jobs.add(job)
            self._jobs.finish(job, result=result)

    def _attach(self, new: Job, work: BatchWork, deadline_s: float | None) -> Job:
        self._jobs.forget_expired()
        job = self._jobs.get(new.key)
        if job is None:
            job = new
            self._enqueue(job, work, deadline_s)
        elif job.fingerprint != new.fingerprint:
            raise InvalidArgumentError("job.request_id", "is in use for another request; choose a new id")
        else:
            JOBS_REATTACHED.labels(self.name).inc()
        job.num_callers += 1
        job.stop_grace_timer()
        return job

    def _enqueue(self, job: Job, work: BatchWork, deadline_s: float | None) -> None:
        if self.is_draining:
            raise UnavailableError(SHUTTING_DOWN)
        if self._misses_deadline(job, work, deadline_s):
            needed_s = self._needed_s(job, work)
            raise DeadlineExceededError(f"takes about {needed_s:.1f} s, and the deadline is in {deadline_s:.1f} s")
        delay_s = min(max(self._wait_estimate_s(0) or 1.0, 1.0), 60.0)
        if len(self._waiting) >= self.max_queue_length:
            raise ResourceExhaustedError(f"{self.max_queue_length} jobs are waiting already", retry_delay_s=delay_s)
        if current_caller().is_limited and self._waiting.num_of(job.submitter) >= self._max_queued_per_caller:
            raise ResourceExhaustedError(
                f"{self._max_queued_per_caller} jobs of `{job.submitter}` are waiting already, the limit for a caller "
                "(LUMENMILL_MAX_QUEUED_JOBS_PER_CALLER); wait for their results, or submit a run, whose calls wait in "
                "the orchestrator",
                retry_delay_s=delay_s,
            )
        self._jobs.add(job)
        self._waiting.add(job, work)

    def _misses_deadline(self, job: Job, work: BatchWork, deadline_s: float | None) -> bool:
        return work.estimate_s is not None and deadline_s is not None and self._needed_s(job, work) > deadline_s

    def _needed_s(self, job: Job, work: BatchWork) -> float:
        num_before = self._waiting.num_before(job)
        return (work.estimate_s or 0.0) + (self._wait_estimate_s(num_before - 1) or 0.0)

    def _wait_estimate_s(self, position: int) -> float | None:
        mean_s = self._workers.mean_duration_s
        return None if mean_s is None else mean_s * (position + 1) / self.num_workers

    def _detach(self, job: Job) -> None:
        job.num_callers -= 1
        if job.num_callers == 0 and not job.done:
            loop = asyncio.get_running_loop()
            job.start_grace_timer(loop.call_later(self._grace_period_s, self._cancel, job))

    async def _events(self, job: Job) -> AsyncIterator[Message]:
        sent: Message | None = None
        while True:
            changed, event = job.changed, self._newest_event(job)
            if event is not None and event != sent:
                sent = event
                yield event
            if event is job.result and job.done:
                return
            await changed.wait()

    def _newest_event(self, job: Job) -> Message | None:
        if job.error is not None:
            raise job.error
        if job.result is not None:
            return job.result
        if job.running:
            return job.progress
        position = self._waiting.position_of(job)
        wait_s = self._wait_estimate_s(position)
        return Queued(position=position, estimated_wait=None if wait_s is None else Duration(seconds=round(wait_s)))

    def _cancel(self, job: Job) -> None:
        job.stopped_by_drain = False
        job.cancelled.set()
        if not job.running and not job.done:
            self._waiting.remove(job)
            self._jobs.finish(job, error=CancelledError("the job was cancelled"))


def jobs_from(settings: ServiceSettings, name: str, max_batch_size: int = 1) -> JobQueue:
    """Return the queue that a service's settings describe."""
    return JobQueue(
        name,
        num_workers=settings.num_workers,
        max_queue_length=settings.max_queue_length,
        max_queued_per_caller=settings.max_queued_jobs_per_caller,
        grace_period_s=settings.grace_period_s,
        result_ttl_s=settings.result_ttl_s,
        max_batch_size=max_batch_size,
        store=open_store_from(settings),
        persist_results_over_s=settings.persist_results_over_s,
    )
