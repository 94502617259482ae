"""Retries of calls: which failures are retried, how often, for how long, and the wait before each attempt.

`retrying` is the loop for work that is repeated as it is; what moves to another endpoint or thread between attempts, as
the orchestrator's calls to models do, keeps a `RetryState`. Below it, gRPC's own service config (`calls.py`) retries
unary calls over connections that broke.
"""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from lumenmill_common.errors import LumenmillError, ResourceExhaustedError, UnavailableError

__all__ = ["RetryPolicy", "RetryState", "retrying"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class RetryPolicy:
    """Which failures of one call are retried, and how long.

    An outage begins with an UNAVAILABLE failure and ends when the service answers anything else.
    """

    max_attempts: Mapping[type[LumenmillError], float]
    """Attempts by the error that they end with; for UNAVAILABLE in one outage. Other errors are not retried."""
    outage_timeout_s: float = math.inf
    """Seconds after which an outage is not retried any more."""
    max_outages: float = math.inf
    """Outages that one call survives, so that a job that crashes its service every time is given up."""
    initial_backoff_s: float = 0.2
    max_backoff_s: float = 15.0

    def backoff_s(self, num_failures: int, error: LumenmillError) -> float:
        """Return the wait after failure number `num_failures` (from 1), about as long as the service asked for or
        longer."""
        requested_s = float(getattr(error, "retry_delay_s", 0.0))
        growing_s = min(self.initial_backoff_s * 2.0 ** min(num_failures - 1, 16), self.max_backoff_s)
        return max(requested_s, growing_s) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads callers, no secret


class RetryState:
    """What the failures of one call have used of its policy. Each kind of error is counted by itself."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._num_failures: Counter[type[LumenmillError]] = Counter()
        self._outage_since_s: float | None = None
        self._num_outages = 0

    @property
    def is_outage(self) -> bool:
        """Whether the service has not answered since the last UNAVAILABLE failure."""
        return self._outage_since_s is not None

    def answered(self) -> None:
        """Record that the service answered: the next UNAVAILABLE failure begins a new outage."""
        self._outage_since_s = None
        self._num_failures[UnavailableError] = 0

    def exclude(self, wait_s: float) -> None:
        """Leave some seconds out of the present outage, in which no attempt was possible."""
        if self._outage_since_s is not None:
            self._outage_since_s += wait_s

    def record_failure(self, error: LumenmillError) -> float | None:
        """Record a failed attempt and return the seconds until the next one, or None when there is to be none."""
        if isinstance(error, UnavailableError):
            self._begin_outage()
        else:
            self.answered()
        self._num_failures[type(error)] += 1
        num_failures = self._num_failures[type(error)]
        delay_s = self._policy.backoff_s(num_failures, error)
        return delay_s if self._may_retry(error, num_failures, delay_s) else None

    async def wait(self, error: LumenmillError) -> None:
        """Wait until the next attempt after a failed one.

        Raises:
            LumenmillError: `error`, when there is to be no other attempt.
        """
        delay_s = self.record_failure(error)
        if delay_s is None:
            raise error
        await asyncio.sleep(delay_s)

    def _begin_outage(self) -> None:
        if self._outage_since_s is None:
            self._outage_since_s = time.monotonic()
            self._num_outages += 1

    def _may_retry(self, error: LumenmillError, num_failures: int, delay_s: float) -> bool:
        if isinstance(error, ResourceExhaustedError) and error.retry_delay_s <= 0:
            return False  # not a full queue, but a limit that the same call exceeds every time
        if num_failures >= self._policy.max_attempts.get(type(error), 1):
            return False
        if self._outage_since_s is None:
            return True
        ends_s = self._outage_since_s + self._policy.outage_timeout_s
        return self._num_outages <= self._policy.max_outages and time.monotonic() + delay_s <= ends_s


async def retrying(
    attempt: Callable[[], Awaitable[_T]],
    state: RetryState,
    on_retry: Callable[[LumenmillError, float], None] | None = None,
) -> _T:
    """Make attempts until one succeeds, and return its result; wait between them as the policy of `state` says.

    `on_retry` receives each error that is followed by another attempt, and the seconds until then.

    Raises:
        LumenmillError: the failure that is not retried any more.
    """
    while True:
        try:
            return await attempt()
        except LumenmillError as error:
            delay_s = state.record_failure(error)
            if delay_s is None:
                raise
            if on_retry is not None:
                on_retry(error, delay_s)
        await asyncio.sleep(delay_s)
