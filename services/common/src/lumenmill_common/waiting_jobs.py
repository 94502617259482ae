"""The jobs that wait for a worker, in order."""

import asyncio
import time

from lumenmill_common.fair_queue import FairQueue
from lumenmill_common.job import Job
from lumenmill_common.telemetry import JOB_WAIT, JOBS_QUEUED
from lumenmill_common.work import BatchWork

__all__ = ["QueuedWork", "WaitingJobs"]

QueuedWork = tuple[Job, BatchWork]


class WaitingJobs:
    """Jobs in the order of a `FairQueue`. Callers are notified when positions change."""

    def __init__(self, queue: str, max_batch_size: int) -> None:
        self._queue, self._max_batch_size = queue, max_batch_size
        self._jobs = FairQueue[Job]()
        self._works: dict[Job, BatchWork] = {}
        self._positions: dict[Job, int] = {}
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job, work: BatchWork) -> None:
        """Add a job."""
        self._jobs.add(job, job.place)
        self._works[job] = work
        self._publish_positions()
        self._arrived.set()

    def remove(self, job: Job) -> None:
        """Remove a job, if it waits."""
        self._jobs.remove(job)
        self._works.pop(job, None)
        self._publish_positions()

    def remove_all(self) -> list[Job]:
        """Remove all jobs and return them."""
        jobs = list(self._jobs)
        self._jobs = FairQueue()
        self._works.clear()
        self._publish_positions()
        return jobs

    def position_of(self, job: Job) -> int:
        """Return how many jobs are before a job; 0 for one that does not wait."""
        return self._positions.get(job, 0)

    def num_before(self, job: Job) -> int:
        """Return how many jobs would be before a new one."""
        self._jobs.add(job, job.place)
        try:
            return self._jobs.in_order().index(job)
        finally:
            self._jobs.remove(job)

    def num_of(self, caller: str) -> int:
        """Return how many jobs of a caller wait."""
        return sum(job.place.caller == caller for job in self._jobs)

    async def take_batch(self) -> list[QueuedWork]:
        """Wait for a job; remove and return it together with those that can be computed as one batch with it."""
        while (first := self._jobs.first()) is None:
            self._arrived.clear()
            await self._arrived.wait()
        batch = [(job, self._works.pop(job)) for job in self._batch_of(first)]
        for job, _ in batch:
            self._jobs.take(job)
            job.running = True
            JOB_WAIT.labels(self._queue).observe(time.monotonic() - job.queued_since_s)
        self._publish_positions()
        return batch

    def _batch_of(self, first: Job) -> list[Job]:
        key = self._works[first].key
        return [job for job in self._positions if self._works[job].key == key][: self._max_batch_size]

    def _publish_positions(self) -> None:
        self._positions = {job: position for position, job in enumerate(self._jobs.in_order())}
        JOBS_QUEUED.labels(self._queue).set(len(self._jobs))
        for job in self._positions:
            job.notify()
