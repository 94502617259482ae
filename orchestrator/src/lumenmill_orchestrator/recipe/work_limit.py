"""Ends work in a thread from outside: when its time is over, and when nobody waits for it any more."""

import math
import time

from lumenmill_common.errors import CancelledError, DeadlineExceededError

__all__ = ["WorkLimit"]


class WorkLimit:
    """The time that checking and planning a recipe may take. Threads cannot be ended: long work calls `check`."""

    def __init__(self, duration_s: float = math.inf) -> None:
        """`duration_s` is counted from now."""
        self._end_s = time.monotonic() + duration_s
        self._is_stopped = False

    def stop(self) -> None:
        """Make the next `check` raise; from any thread."""
        self._is_stopped = True

    def check(self) -> None:
        """Return if the work may go on.

        Raises:
            CancelledError: it was stopped.
            DeadlineExceededError: its time is over.
        """
        if self._is_stopped:
            raise CancelledError("the caller ended the call")
        if time.monotonic() >= self._end_s:
            raise DeadlineExceededError("the recipe could not be checked in time; split it, or give the call more time")
