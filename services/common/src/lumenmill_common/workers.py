"""The worker threads of a job queue: one for each device."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from google.protobuf.message import Message

from lumenmill_common.deferred import DeferredExecutor
from lumenmill_common.errors import CancelledError, UnavailableError
from lumenmill_common.job import Job, JobContext
from lumenmill_common.job_registry import JobRegistry
from lumenmill_common.persisted_results import PersistedResults
from lumenmill_common.telemetry import JOB_BATCH_SIZE, JOB_DURATION, JOBS_REATTACHED, JOBS_RUNNING
from lumenmill_common.waiting_jobs import QueuedWork, WaitingJobs
from lumenmill_common.work import DeferredWork, execute_batch, internal_error

__all__ = ["SHUTTING_DOWN", "Workers"]

SHUTTING_DOWN = "the service is shutting down"

# Time for cancelled jobs to reach their next step when the service stops.
_LAST_STEP_S = 10.0

# Persisted results that were found, outcomes of the other jobs, and the seconds that each of these took.
_Executed = tuple[list[tuple[Job, Message]], list[tuple[Job, Message | DeferredWork | BaseException]], float]


class Workers:
    """Execute waiting jobs, in batches, and record their outcomes."""

    def __init__(
        self,
        name: str,
        num_workers: int,
        jobs: JobRegistry,
        waiting: WaitingJobs,
        persisted: PersistedResults | None,
    ) -> None:
        self._name, self._jobs, self._waiting, self._persisted = name, jobs, waiting, persisted
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix=f"{name}-worker") for _ in range(num_workers)]
        self._deferred = DeferredExecutor(name, num_workers, self._persist, self._record_outcome)
        self._dispatchers: list[asyncio.Task[None]] = []
        self.mean_duration_s: float | None = None
        """Exponential moving average over the jobs; None before the first."""

    async def run_in_each(self, function: Callable[[], None]) -> None:
        """Run a function once in every worker thread, one after another."""
        for thread in self._threads:
            await asyncio.get_running_loop().run_in_executor(thread, function)

    def start(self) -> None:
        """Start to execute waiting jobs."""
        self._dispatchers = [asyncio.create_task(self._dispatch(thread)) for thread in self._threads]

    async def stop(self, drain_s: float) -> None:
        """Stop after `drain_s` seconds for running jobs to finish, and 10 s for the others to reach their next step."""
        await self._until_idle(drain_s)
        for job in self._jobs.running():
            if not job.cancelled.is_set():
                job.stopped_by_drain = True
                job.cancelled.set()
        await self._until_idle(_LAST_STEP_S)
        for job in self._jobs.running():  # their workers do not reach a next step
            self._jobs.finish(job, error=UnavailableError(SHUTTING_DOWN))
        for dispatcher in self._dispatchers:
            dispatcher.cancel()
        await asyncio.gather(*self._dispatchers, return_exceptions=True)
        await self._deferred.stop()
        for thread in self._threads:
            thread.shutdown(wait=False, cancel_futures=True)

    async def _until_idle(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while running := self._jobs.running():
                    await running[0].changed.wait()

    async def _dispatch(self, thread: ThreadPoolExecutor) -> None:
        while True:
            await self._run(thread, await self._waiting.take_batch())

    async def _run(self, thread: ThreadPoolExecutor, batch: list[QueuedWork]) -> None:
        jobs = tuple(job for job, _ in batch)
        contexts = [JobContext(job, self._name) for job in jobs]
        for context in contexts:
            context.join_batch(jobs)
        JOB_BATCH_SIZE.labels(self._name).observe(len(jobs))
        JOBS_RUNNING.labels(self._name).inc(len(jobs))
        try:
            found, executed, duration_s = await asyncio.get_running_loop().run_in_executor(
                thread, jobs[0].context_vars.run, self._execute, batch, contexts
            )
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # native libraries raise BaseExceptions; none may end the dispatcher
            found, executed, duration_s = [], [(job, internal_error(error)) for job in jobs], 0.0
        finally:
            JOBS_RUNNING.labels(self._name).dec(len(jobs))
        for job, result in found:
            JOBS_REATTACHED.labels(self._name).inc()
            self._jobs.finish(job, result=result)
        for job, outcome in executed:
            if isinstance(outcome, DeferredWork):
                await self._deferred.submit(job, outcome, duration_s)
            else:
                self._record_outcome(job, outcome, duration_s)

    def _execute(self, batch: list[QueuedWork], contexts: list[JobContext]) -> _Executed:
        """Find the persisted results of a batch and compute the others; called in a worker thread."""
        persisted = [self._persisted.find(job) if self._persisted is not None else None for job, _ in batch]
        found = [(job, result) for (job, _), result in zip(batch, persisted, strict=True) if result is not None]
        missing = [(*batch[index], contexts[index]) for index, result in enumerate(persisted) if result is None]
        if not missing:
            return found, [], 0.0
        started_s = time.monotonic()
        outcomes = execute_batch(
            missing[0][1].run_batch, [work.payload for _, work, _ in missing], [context for _, _, context in missing]
        )
        duration_s = (time.monotonic() - started_s) / len(missing)
        executed = [(job, outcome) for (job, _, _), outcome in zip(missing, outcomes, strict=True)]
        for job, outcome in executed:
            if isinstance(outcome, Message):
                self._persist(job, outcome, duration_s)
        return found, executed, duration_s

    def _persist(self, job: Job, result: Message, duration_s: float) -> None:
        if self._persisted is not None and not job.is_abandoned:
            self._persisted.persist(job, result, duration_s)

    def _record_outcome(self, job: Job, outcome: Message | BaseException, duration_s: float) -> None:
        if job.stopped_by_drain and isinstance(outcome, CancelledError):
            outcome = UnavailableError(SHUTTING_DOWN)
        elif isinstance(outcome, Message) and job.is_abandoned:
            outcome = CancelledError("the job was cancelled")
        name = type(outcome).__name__ if isinstance(outcome, BaseException) else "ok"
        JOB_DURATION.labels(self._name, job.request_name, name).observe(duration_s)
        if isinstance(outcome, BaseException):
            self._jobs.finish(job, error=outcome)
        else:
            mean_s = self.mean_duration_s
            self.mean_duration_s = duration_s if mean_s is None else 0.8 * mean_s + 0.2 * duration_s
            self._jobs.finish(job, result=outcome)
