"""How long one call is tried: which failures may pass when it is made again, and when to give up."""

import random
import time
from collections import Counter

from lumenmill_common.errors import (
    CancelledError,
    DataLossError,
    DeadlineExceededError,
    InternalError,
    LumenmillError,
    ResourceExhaustedError,
    UnavailableError,
)

__all__ = ["Patience", "backoff_s"]

_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 15.0
# Failures that may pass when the same call is made again, and how many attempts they get. UNAVAILABLE has the patience
# of the settings instead, and a queue that says when to come back is waited for without end: the model works.
_ATTEMPTS: dict[type[LumenmillError], int] = {
    InternalError: 3,
    DataLossError: 2,
    DeadlineExceededError: 2,
    CancelledError: 3,
}
# Outages that one call is carried through. A job that brings its service down every time ends here; a service that is
# restarted, moved or cut off now and then while a long job runs does not come near it.
_MOST_OUTAGES = 20


class Patience:
    """What the failures of one call have used up. Each kind is counted by itself, and an outage from its own start."""

    def __init__(self, outage_s: float) -> None:
        self._outage_s = outage_s
        self._num_failed: Counter[type[LumenmillError]] = Counter()
        self._outage_since_s: float | None = None
        self._num_outages = 0

    def news(self) -> None:
        """The service answers: whatever breaks next is a new outage."""
        self._outage_since_s = None
        self._num_failed[UnavailableError] = 0

    def excuse(self, wait_s: float) -> None:
        """Some seconds went by in which the call could not even be made: the outage is not theirs."""
        if self._outage_since_s is not None:
            self._outage_since_s += wait_s

    def delay_s(self, error: LumenmillError) -> float | None:
        """Seconds until the next attempt after a failed one, or None when there is to be none."""
        if not isinstance(error, UnavailableError):
            self.news()
        self._num_failed[type(error)] += 1
        num_failed = self._num_failed[type(error)]
        delay_s = backoff_s(num_failed, error)
        if isinstance(error, UnavailableError):
            now_s = time.monotonic()
            if self._outage_since_s is None:
                self._outage_since_s = now_s
                self._num_outages += 1
            if self._num_outages > _MOST_OUTAGES:
                return None
            return delay_s if now_s + delay_s <= self._outage_since_s + self._outage_s else None
        if isinstance(error, ResourceExhaustedError):
            # Without a time to come back it is no full queue but a limit that the same call meets every time.
            return delay_s if error.retry_delay_s > 0 else None
        return delay_s if num_failed < _ATTEMPTS.get(type(error), 1) else None


def backoff_s(num_failed: int, error: LumenmillError) -> float:
    """Seconds to wait after failure number `num_failed` (from 1), at least about what the service asked for."""
    asked_for_s = float(getattr(error, "retry_delay_s", 0.0))
    growing_s = min(_FIRST_BACKOFF_S * 2.0 ** min(num_failed - 1, 16), _LONGEST_BACKOFF_S)
    return max(asked_for_s, growing_s) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads callers, no secret
