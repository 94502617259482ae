"""The jobs that a queue knows: waiting, running, and recently finished ones."""

import time
from collections import OrderedDict

from google.protobuf.message import Message

from lumenmill_common.job import Job

__all__ = ["JobRegistry"]

# Finished jobs that are remembered at most; their results hold references to artifacts, not media.
_MAX_FINISHED = 4096


class JobRegistry:
    """Jobs by key. Finished ones are forgotten after `result_ttl_s` seconds, failed ones at once."""

    def __init__(self, result_ttl_s: float) -> None:
        self._result_ttl_s = result_ttl_s
        self._jobs: dict[str, Job] = {}
        self._finished_at_s: OrderedDict[str, float] = OrderedDict()

    def get(self, key: str) -> Job | None:
        """Return the job with a key that waits, runs or has finished; none that was cancelled."""
        job = self._jobs.get(key)
        return None if job is None or job.cancelled.is_set() else job

    def add(self, job: Job) -> None:
        """Add a job, in place of a cancelled one of the same key."""
        self._jobs[job.key] = job

    def finish(self, job: Job, *, result: Message | None = None, error: BaseException | None = None) -> None:
        """Set the result or the error of a job. A failed job is forgotten, so that its request may be repeated."""
        if error is None:
            self._finished_at_s[job.key] = time.monotonic()
            self._finished_at_s.move_to_end(job.key)
        elif self._jobs.get(job.key) is job:
            del self._jobs[job.key]
        job.finish(result, error)

    def with_request_id(self, request_id: str) -> list[Job]:
        """Return all jobs with a request id, one for each RPC that it was used for."""
        return [job for job in self._jobs.values() if job.request_id == request_id]

    def running(self) -> list[Job]:
        """Return the jobs that run."""
        return [job for job in self._jobs.values() if job.running]

    def forget_expired(self) -> None:
        """Forget the results that finished too long ago, and the oldest ones beyond the limit."""
        oldest_s = time.monotonic() - self._result_ttl_s
        finished = self._finished_at_s
        while finished and (len(finished) > _MAX_FINISHED or next(iter(finished.values())) < oldest_s):
            self._jobs.pop(finished.popitem(last=False)[0], None)
