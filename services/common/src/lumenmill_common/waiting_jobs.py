"""The jobs that wait for a worker, in order."""

import asyncio
import time

from lumenmill_common.job import Job
from lumenmill_common.telemetry import JOB_WAIT, JOBS_QUEUED
from lumenmill_common.work import BatchWork

__all__ = ["QueuedWork", "WaitingJobs"]

QueuedWork = tuple[Job, BatchWork]


class WaitingJobs:
    """Jobs by priority, and in order of arrival within a priority. Callers are notified when positions change."""

    def __init__(self, queue: str, max_batch_size: int) -> None:
        self._queue, self._max_batch_size = queue, max_batch_size
        self._entries: list[QueuedWork] = []
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, job: Job, work: BatchWork) -> None:
        """Add a job."""
        self._entries.append((job, work))
        self._entries.sort(key=lambda entry: -entry[0].priority)
        self._publish_positions()
        self._arrived.set()

    def remove(self, job: Job) -> None:
        """Remove a job, if it waits."""
        self._entries = [entry for entry in self._entries if entry[0] is not job]
        self._publish_positions()

    def remove_all(self) -> list[Job]:
        """Remove all jobs and return them."""
        jobs = [job for job, _ in self._entries]
        self._entries = []
        self._publish_positions()
        return jobs

    def position_of(self, job: Job) -> int:
        """Return how many jobs are before a job; 0 for one that does not wait."""
        return next((index for index, (other, _) in enumerate(self._entries) if other is job), 0)

    def num_before(self, priority: int) -> int:
        """Return how many jobs would be before a new one of a priority."""
        return sum(job.priority >= priority for job, _ in self._entries)

    async def take_batch(self) -> list[QueuedWork]:
        """Wait for a job; remove and return it together with those that can be computed as one batch with it."""
        while not self._entries:
            self._arrived.clear()
            await self._arrived.wait()
        key = self._entries[0][1].key
        batch = [entry for entry in self._entries if entry[1].key == key][: self._max_batch_size]
        taken = {id(job) for job, _ in batch}
        self._entries = [entry for entry in self._entries if id(entry[0]) not in taken]
        for job, _ in batch:
            job.running = True
            JOB_WAIT.labels(self._queue).observe(time.monotonic() - job.queued_since_s)
        self._publish_positions()
        return batch

    def _publish_positions(self) -> None:
        JOBS_QUEUED.labels(self._queue).set(len(self._entries))
        for job, _ in self._entries:
            job.notify()
