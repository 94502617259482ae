"""Heavy work: a bounded queue with priorities, one worker thread per device, and a registry by request id.

The same request id attaches to the waiting or running job, or returns the finished result, be it an earlier process's;
the work is never done twice. When the last caller of a job goes away it lives on for a grace period, so that a
restarted caller finds it again, and is then cancelled at its next step.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from lumenmill.common.v1.generation_pb2 import JobOptions, Queued
from lumenmill.common.v1.job_pb2 import JobState
from lumenmill.common.v1.model_pb2 import Model

from lumenmill_common._finisher import Finisher
from lumenmill_common._inline import with_inline_media
from lumenmill_common._job import HeavyRequest, Job, JobContext, event_name, job_of
from lumenmill_common._kept import KeptResults
from lumenmill_common._work import BatchWork, Later, Work, bug_of, in_worker, outcomes_of
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.errors import (
    CancelledError,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnavailableError,
)
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.telemetry import (
    JOB_BATCH_SIZE,
    JOB_DURATION,
    JOB_WAIT,
    JOBS_QUEUED,
    JOBS_REATTACHED,
    JOBS_RUNNING,
)

__all__ = ["BatchWork", "HeavyRequest", "JobContext", "JobQueue", "Later", "Work", "in_worker", "jobs_from"]

ResponseT = TypeVar("ResponseT", bound=Message)

# Finished results that are remembered at most; they hold references to artifacts, not media.
_MAX_FINISHED = 4096
# Time that a cancelled job gets to reach its next step when the service stops.
_LAST_STEP_S = 10.0
_SHUTTING_DOWN = "the service is shutting down"

_Worked = tuple[list[tuple[Job, Message]], list[tuple[Job, Message | Later | BaseException]], float]


class JobQueue:
    """The jobs of one process. All contracts of a service share one queue, since they share its device."""

    def __init__(
        self,
        name: str,
        *,
        num_workers: int = 1,
        max_queue_length: int = 64,
        grace_period_s: float = 60.0,
        result_ttl_s: float = 900.0,
        max_batch_size: int = 1,
        store: ArtifactStore | None = None,
        persist_results_over_s: float = 1.0,
    ) -> None:
        """`store` is where media are read for callers that ask for `inline_results`, which are refused without one, and
        where results of jobs that took `persist_results_over_s` seconds or more wait for callers after a restart."""
        self._store = store
        self._kept = KeptResults(store, persist_results_over_s) if store is not None else None
        self.name, self.num_workers, self.max_queue_length = name, num_workers, max_queue_length
        JOBS_REATTACHED.labels(name)  # from the start, so that the first one is seen as an increase
        self._grace_period_s, self._result_ttl_s, self._max_batch_size = grace_period_s, result_ttl_s, max_batch_size
        self._jobs: dict[str, Job] = {}
        self._finished: OrderedDict[str, float] = OrderedDict()
        self._waiting: list[tuple[Job, BatchWork]] = []
        self._work_arrived = asyncio.Event()
        self._mean_duration_s: float | None = None
        self._draining, self._cut_off = False, set[Job]()
        self._workers = [ThreadPoolExecutor(1, thread_name_prefix=f"{name}-worker") for _ in range(num_workers)]
        self._finisher = Finisher(name, num_workers, self._keep, self._account)
        self._dispatchers: list[asyncio.Task[None]] = []

    # For servers.

    async def run_in_workers(self, function: Callable[[], None]) -> None:
        """Runs a function once in every worker thread, one after another: loading a model, for example."""
        for worker in self._workers:
            await asyncio.get_running_loop().run_in_executor(worker, function)

    def start(self, model: Model) -> None:
        """Starts to take jobs from the queue, which are all for one model."""
        if self._kept is not None:
            self._kept.model_identity = f"{model.family}/{model.name}/{model.revision}"
        self._dispatchers = [asyncio.create_task(self._dispatch(worker)) for worker in self._workers]

    async def stop(self, drain_s: float) -> None:
        """Takes no new jobs and refuses the waiting ones; running ones get `drain_s` seconds, then 10 s to stop.
        Callers of what is not done by then are told UNAVAILABLE, as nobody gave it up and others may do it."""
        self._draining = True
        for job, _ in self._waiting:
            self._finish(job, error=UnavailableError(_SHUTTING_DOWN))
        self._waiting = []
        self._tell_positions()
        await self._until_idle(drain_s)
        self._cut_off = {job for job in self._running() if not job.cancelled.is_set()}
        for job in self._cut_off:
            job.cancelled.set()
        await self._until_idle(_LAST_STEP_S)
        for job in self._running():  # their workers do not come to a next step
            self._finish(job, error=UnavailableError(_SHUTTING_DOWN))
        for dispatcher in self._dispatchers:
            dispatcher.cancel()
        await asyncio.gather(*self._dispatchers, return_exceptions=True)
        await self._finisher.stop()
        for worker in self._workers:
            worker.shutdown(wait=False, cancel_futures=True)

    def cancel(self, request_id: str) -> bool:
        """Cancels the waiting or running jobs with a request id; whether there was one."""
        active = [job for job in self._jobs.values() if job.request_id == request_id and not job.done]
        for job in active:
            self._cancel(job)
        return bool(active)

    def state_of(self, request_id: str) -> "JobState.ValueType":
        """What becomes of the job with a request id; of several, the one that is furthest."""
        states = (job.state for job in self._jobs.values() if job.request_id == request_id)
        return max(states, default=JobState.JOB_STATE_UNSPECIFIED)

    # For servicers.

    async def respond(
        self,
        request: HeavyRequest,
        response_type: type[ResponseT],
        work: Work | BatchWork,
        deadline_s: float | None = None,
    ) -> AsyncIterator[ResponseT]:
        """The whole answer to a heavy request: queued and progress events, then the result.

        `response_type` has the oneof `event` of `queued`, `progress` and `result`. `deadline_s` is the time that the
        caller has left.

        Raises:
            InvalidArgumentError: the request id is known with another request.
            ResourceExhaustedError: the queue is full.
            UnavailableError: the service is shutting down.
            DeadlineExceededError: the work would not be done in time; says how long it takes.
            LumenmillError: whatever the work raised.
        """
        work = work.as_batch() if isinstance(work, Work) else work
        job = job_of(request, response_type)
        if self._known(job) is None and self._is_hopeless(job, work, deadline_s):
            await self._look_for_kept(job)
        job = self._attach(job, work, deadline_s)
        try:
            async for event in self._events(job):
                told = await self._as_asked(event, job, request.job)
                yield response_type(**{event_name(told, response_type): told})
        finally:
            self._detach(job)

    async def _as_asked(self, event: Message, job: Job, options: JobOptions) -> Message:
        if not options.inline_results or event is not job.result:
            return event
        if self._store is None:
            raise FailedPreconditionError("this service has no store to read media from", "job.inline_results")
        return await asyncio.to_thread(with_inline_media, event, self._store)

    def _known(self, job: Job) -> Job | None:
        """The job of the same id that waits, runs or has finished."""
        known = self._jobs.get(job.key)
        return None if known is None or known.cancelled.is_set() else known

    async def _look_for_kept(self, job: Job) -> None:
        """What an earlier process had finished takes no time, however near the deadline is. Workers look too; this is
        for jobs that would be refused before they reach one."""
        result = await asyncio.to_thread(self._kept.find, job) if self._kept is not None else None
        if result is not None and self._known(job) is None:
            self._jobs[job.key] = job
            self._finish(job, result=result)

    def _attach(self, asked: Job, work: BatchWork, deadline_s: float | None) -> Job:
        self._forget_old()
        job = self._known(asked)
        if job is None:
            job = asked
            self._enqueue(job, work, deadline_s)
        elif job.fingerprint != asked.fingerprint:
            raise InvalidArgumentError("job.request_id", "is in use for another request; choose a new id")
        else:
            JOBS_REATTACHED.labels(self.name).inc()
        job.num_callers += 1
        if job.grace_timer:
            job.grace_timer.cancel()
            job.grace_timer = None
        return job

    def _needed_s(self, job: Job, work: BatchWork) -> float:
        num_before = sum(other.priority >= job.priority for other, _ in self._waiting)
        return (work.estimate_s or 0.0) + (self._wait_estimate_s(num_before - 1) or 0.0)

    def _is_hopeless(self, job: Job, work: BatchWork, deadline_s: float | None) -> bool:
        return work.estimate_s is not None and deadline_s is not None and self._needed_s(job, work) > deadline_s

    def _enqueue(self, job: Job, work: BatchWork, deadline_s: float | None) -> None:
        if self._draining:
            raise UnavailableError(_SHUTTING_DOWN)
        if self._is_hopeless(job, work, deadline_s):
            needed_s = self._needed_s(job, work)
            raise DeadlineExceededError(f"takes about {needed_s:.1f} s, and the deadline is in {deadline_s:.1f} s")
        if len(self._waiting) >= self.max_queue_length:
            delay_s = min(max(self._wait_estimate_s(0) or 1.0, 1.0), 60.0)
            raise ResourceExhaustedError(f"{self.max_queue_length} jobs are waiting already", retry_delay_s=delay_s)
        self._jobs[job.key] = job
        self._waiting.append((job, work))
        self._waiting.sort(key=lambda entry: -entry[0].priority)  # stable: first in, first out within a priority
        self._tell_positions()
        self._work_arrived.set()

    def _detach(self, job: Job) -> None:
        job.num_callers -= 1
        if job.num_callers == 0 and not job.done:
            job.grace_timer = asyncio.get_running_loop().call_later(self._grace_period_s, self._cancel, job)

    async def _events(self, job: Job) -> AsyncIterator[Message]:
        told: Message | None = None
        while True:
            changed, event = job.changed, self._state(job)
            if event is not None and event != told:
                told = event
                yield event
            if event is job.result and job.done:
                return
            await changed.wait()

    def _state(self, job: Job) -> Message | None:
        if job.error is not None:
            raise job.error
        if job.result is not None:
            return job.result
        if job.running:
            return job.progress
        position = next((index for index, (other, _) in enumerate(self._waiting) if other is job), 0)
        wait_s = self._wait_estimate_s(position)
        return Queued(position=position, estimated_wait=None if wait_s is None else Duration(seconds=round(wait_s)))

    # The walk of a job through a worker.

    async def _dispatch(self, worker: ThreadPoolExecutor) -> None:
        while True:
            while not self._waiting:
                self._work_arrived.clear()
                await self._work_arrived.wait()
            await self._run(worker, self._take_batch())

    def _take_batch(self) -> list[tuple[Job, BatchWork]]:
        key = self._waiting[0][1].key
        batch = [entry for entry in self._waiting if entry[1].key == key][: self._max_batch_size]
        taken = {id(job) for job, _ in batch}
        self._waiting = [entry for entry in self._waiting if id(entry[0]) not in taken]
        for job, _ in batch:
            job.running = True
            JOB_WAIT.labels(self.name).observe(time.monotonic() - job.queued_since_s)
        self._tell_positions()
        return batch

    async def _run(self, worker: ThreadPoolExecutor, batch: list[tuple[Job, BatchWork]]) -> None:
        jobs = tuple(job for job, _ in batch)
        contexts = [JobContext(job, self.name) for job in jobs]
        for context in contexts:
            context.join_batch(jobs)
        JOB_BATCH_SIZE.labels(self.name).observe(len(jobs))
        JOBS_RUNNING.labels(self.name).inc(len(jobs))
        try:
            found, made, duration_s = await asyncio.get_running_loop().run_in_executor(
                worker, jobs[0].context_vars.run, self._work, batch, contexts
            )
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # panics of native libraries are no Exceptions; none may end the dispatcher
            found, made, duration_s = [], [(job, bug_of(error)) for job in jobs], 0.0
        finally:
            JOBS_RUNNING.labels(self.name).dec(len(jobs))
        for job, result in found:
            JOBS_REATTACHED.labels(self.name).inc()
            self._finish(job, result=result)
        for job, outcome in made:
            if isinstance(outcome, Later):
                await self._finisher.finish(job, outcome, duration_s)
            else:
                self._account(job, outcome, duration_s)

    def _keep(self, job: Job, result: Message, duration_s: float) -> None:
        if self._kept is not None and not self._is_given_up(job):
            self._kept.keep(job, result, duration_s)

    def _work(self, batch: list[tuple[Job, BatchWork]], contexts: list[JobContext]) -> _Worked:
        """What a worker thread does with a batch: looks for kept results and makes the others."""
        kept = [self._kept.find(job) if self._kept is not None else None for job, _ in batch]
        found = [(job, result) for (job, _), result in zip(batch, kept, strict=True) if result is not None]
        left = [(*batch[index], contexts[index]) for index, result in enumerate(kept) if result is None]
        if not left:
            return found, [], 0.0
        started_s = time.monotonic()
        outcomes = outcomes_of(
            left[0][1].run_batch, [work.payload for _, work, _ in left], [context for _, _, context in left]
        )
        duration_s = (time.monotonic() - started_s) / len(left)
        made = [(job, outcome) for (job, _, _), outcome in zip(left, outcomes, strict=True)]
        for job, outcome in made:
            if isinstance(outcome, Message):
                self._keep(job, outcome, duration_s)
        return found, made, duration_s

    def _account(self, job: Job, outcome: Message | BaseException, duration_s: float) -> None:
        if job in self._cut_off and isinstance(outcome, CancelledError):
            outcome = UnavailableError(_SHUTTING_DOWN)
        elif isinstance(outcome, Message) and self._is_given_up(job):
            outcome = CancelledError("the job was cancelled")
        name = type(outcome).__name__ if isinstance(outcome, BaseException) else "ok"
        JOB_DURATION.labels(self.name, job.request_name, name).observe(duration_s)
        if isinstance(outcome, BaseException):
            self._finish(job, error=outcome)
        else:
            mean_s = self._mean_duration_s
            self._mean_duration_s = duration_s if mean_s is None else 0.8 * mean_s + 0.2 * duration_s
            self._finish(job, result=outcome)

    def _finish(self, job: Job, *, result: Message | None = None, error: BaseException | None = None) -> None:
        job.result, job.error, job.running = result, error, False
        if job.grace_timer:
            job.grace_timer.cancel()
            job.grace_timer = None
        if error is not None:  # a failed job is forgotten at once, so that the same id may try again
            if self._jobs.get(job.key) is job:
                del self._jobs[job.key]
        else:
            self._finished[job.key] = time.monotonic()
            self._finished.move_to_end(job.key)
        job.notify()

    def _is_given_up(self, job: Job) -> bool:
        """Whether nobody wants it any more, not even after this service has gone."""
        return job.cancelled.is_set() and job not in self._cut_off

    def _cancel(self, job: Job) -> None:
        self._cut_off.discard(job)
        job.cancelled.set()
        if not job.running and not job.done:
            self._waiting = [entry for entry in self._waiting if entry[0] is not job]
            self._tell_positions()
            self._finish(job, error=CancelledError("the job was cancelled"))

    async def _until_idle(self, at_most_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                while running := self._running():
                    await running[0].changed.wait()

    def _running(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.running]

    def _tell_positions(self) -> None:
        JOBS_QUEUED.labels(self.name).set(len(self._waiting))
        for job, _ in self._waiting:
            job.notify()

    def _wait_estimate_s(self, position: int) -> float | None:
        mean_s = self._mean_duration_s
        return None if mean_s is None else mean_s * (position + 1) / self.num_workers

    def _forget_old(self) -> None:
        oldest_s = time.monotonic() - self._result_ttl_s
        while self._finished and (
            len(self._finished) > _MAX_FINISHED or next(iter(self._finished.values())) < oldest_s
        ):
            self._jobs.pop(self._finished.popitem(last=False)[0], None)


def jobs_from(settings: ServiceSettings, name: str, max_batch_size: int = 1) -> JobQueue:
    """The queue that a service's settings describe."""
    return JobQueue(
        name,
        num_workers=settings.num_workers,
        max_queue_length=settings.max_queue_length,
        grace_period_s=settings.grace_period_s,
        result_ttl_s=settings.result_ttl_s,
        max_batch_size=max_batch_size,
        store=open_store_from(settings),
        persist_results_over_s=settings.persist_results_over_s,
    )
