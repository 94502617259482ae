"""The rest of jobs that need the device no more, done beside the worker."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from google.protobuf.message import Message

from lumenmill_common._job import Job
from lumenmill_common._work import Later, bug_of
from lumenmill_common.errors import CancelledError

__all__ = ["Finisher"]

# Jobs whose rest may wait, for each worker: more would pile up what the device made.
_MAX_WAITING = 2


class Finisher:
    """As many threads as there are workers, and room for twice as many jobs; who brings one more waits."""

    def __init__(
        self,
        name: str,
        num_workers: int,
        keep: Callable[[Job, Message, float], None],
        account: Callable[[Job, Message | BaseException, float], None],
    ) -> None:
        """`keep` is called in a thread with a result that was made, `account` in the event loop with every outcome; the
        number is the seconds that the job took of its worker."""
        self._threads = ThreadPoolExecutor(num_workers, thread_name_prefix=f"{name}-finisher")
        self._room = asyncio.Semaphore(_MAX_WAITING * num_workers)
        self._keep, self._account = keep, account
        self._tasks: set[asyncio.Task[None]] = set()

    async def finish(self, job: Job, later: Later, duration_s: float) -> None:
        """Begins the rest of a job, once there is room."""
        await self._room.acquire()
        task = asyncio.create_task(self._finish(job, later, duration_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Lets go of what is not done."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _finish(self, job: Job, later: Later, duration_s: float) -> None:
        outcome: Message | BaseException
        try:
            outcome = await asyncio.get_running_loop().run_in_executor(
                self._threads, job.context_vars.run, self._made, job, later, duration_s
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:
            outcome = error
        except BaseException as error:
            outcome = bug_of(error)
        finally:
            self._room.release()
        self._account(job, outcome, duration_s)

    def _made(self, job: Job, later: Later, duration_s: float) -> Message:
        if job.cancelled.is_set():
            raise CancelledError("the job was cancelled")
        result = later.run()
        self._keep(job, result, duration_s)
        return result
