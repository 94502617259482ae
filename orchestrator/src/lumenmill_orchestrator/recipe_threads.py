"""Threads in which the recipes of callers are checked and planned."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lumenmill_common.call_threads import in_thread
from lumenmill_common.cancellation import cancelled_by
from lumenmill_orchestrator.recipe import WorkLimit

__all__ = ["RecipeThreads"]

_NUM_THREADS = 2
# A recipe of the largest size with 100,000 prompts takes a few seconds.
_LONGEST_S = 60.0
_T = TypeVar("_T")


class RecipeThreads:
    """A few threads of their own: recipes that take long keep each other waiting, and nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="recipe")

    async def run(self, work: Callable[[WorkLimit], _T], time_remaining_s: float | None) -> _T:
        """Return the result of some work, which ends when the caller's time is over, or at once when it is cancelled.

        `time_remaining_s` is that of the call; None without a deadline.

        Raises:
            DeadlineExceededError: it took longer, or longer than a recipe may take.
        """
        limit = WorkLimit(_LONGEST_S if time_remaining_s is None else min(time_remaining_s, _LONGEST_S))
        try:
            return await in_thread(self._threads, _limited, work, limit)
        finally:
            limit.stop()

    def close(self) -> None:
        """Drop the work that waits."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _limited(work: Callable[[WorkLimit], _T], limit: WorkLimit) -> _T:
    with cancelled_by(limit.check):  # the decoding of inline files has no other limit
        return work(limit)
