"""Runs the deferred part of jobs, which needs no device, in threads of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from google.protobuf.message import Message

from lumenmill_common.errors import CancelledError
from lumenmill_common.job import Job
from lumenmill_common.work import DeferredWork, internal_error

__all__ = ["DeferredExecutor"]

# Jobs whose deferred work may be pending, per worker: more would accumulate results of the device in memory.
_MAX_PENDING = 2


class DeferredExecutor:
    """As many threads as workers, and at most twice as many pending jobs; `submit` waits beyond that."""

    def __init__(
        self,
        name: str,
        num_workers: int,
        persist: Callable[[Job, Message, float], None],
        record_outcome: Callable[[Job, Message | BaseException, float], None],
    ) -> None:
        """`persist` is called in a thread with each result, `record_outcome` in the event loop with each outcome; the
        number is the seconds that the job occupied its worker."""
        self._threads = ThreadPoolExecutor(num_workers, thread_name_prefix=f"{name}-deferred")
        self._capacity = asyncio.Semaphore(_MAX_PENDING * num_workers)
        self._persist, self._record_outcome = persist, record_outcome
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, job: Job, work: DeferredWork, duration_s: float) -> None:
        """Start the deferred work of a job as soon as there is capacity."""
        await self._capacity.acquire()
        task = asyncio.create_task(self._run(job, work, duration_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Drop all work that has not finished."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, job: Job, work: DeferredWork, duration_s: float) -> None:
        outcome: Message | BaseException
        try:
            outcome = await asyncio.get_running_loop().run_in_executor(
                self._threads, job.context_vars.run, self._result_of, job, work, duration_s
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:
            outcome = error
        except BaseException as error:
            outcome = internal_error(error)
        finally:
            self._capacity.release()
        self._record_outcome(job, outcome, duration_s)

    def _result_of(self, job: Job, work: DeferredWork, duration_s: float) -> Message:
        if job.cancelled.is_set():
            raise CancelledError("the job was cancelled")
        result = work.run()
        self._persist(job, result, duration_s)
        return result
