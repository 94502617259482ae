"""A value that is fetched on demand: once at a time for all callers, and not again at once after a failure."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from lumenmill_common.errors import UnavailableError

__all__ = ["CachedFetch"]

_TIMEOUT_S = 10.0
# A server that does not answer blocks a request for half a minute: one at every call would only add to that.
_RETRY_AFTER_S = 5.0
ResultT = TypeVar("ResultT")


class CachedFetch(Generic[ResultT]):
    """The value fetched last, and the one running fetch. Cancelling a caller does not cancel the fetch."""

    def __init__(self, fetch: Callable[[], Awaitable[ResultT]]) -> None:
        self._fetch = fetch
        self._fetching: asyncio.Task[None] | None = None
        self._fetched: tuple[ResultT, float] | None = None
        self._failed: tuple[Exception, float] | None = None

    @property
    def last(self) -> ResultT | None:
        """The value fetched last, however old."""
        return None if self._fetched is None else self._fetched[0]

    async def get(self, max_age_s: float, *, max_stale_s: float = 0.0, timeout_s: float = _TIMEOUT_S) -> ResultT:
        """Return a value at most `max_age_s` old, or that of the running fetch.

        An older value, of at most `max_stale_s`, is returned at once while a fetch starts.

        Raises:
            UnavailableError: there is no value within `timeout_s`; the fetch continues.
            Exception: whatever the fetch failed with, now or a few seconds ago.
        """
        age_s = float("inf") if self._fetched is None else time.monotonic() - self._fetched[1]
        if age_s > max_age_s:
            self._start()
        if self._fetched is not None and age_s <= max(max_age_s, max_stale_s):
            return self._fetched[0]
        fetching = self._fetching
        if fetching is not None:
            await asyncio.wait([fetching], timeout=timeout_s)
            if not fetching.done():
                raise UnavailableError(f"the API server of Kubernetes has not answered within {timeout_s:.0f} s")
        if self._failed is not None:
            raise self._failed[0].with_traceback(None)
        if self._fetched is None:
            raise UnavailableError("nothing was read yet: the orchestrator is shutting down")
        return self._fetched[0]

    def _start(self) -> None:
        """Start a fetch, unless one is running or has just failed."""
        has_just_failed = self._failed is not None and time.monotonic() - self._failed[1] < _RETRY_AFTER_S
        if self._fetching is None and not has_just_failed:
            self._fetching = asyncio.create_task(self._run())

    async def _run(self) -> None:
        started_s = time.monotonic()
        try:
            self._fetched = (await self._fetch(), started_s)
            self._failed = None
        except Exception as error:
            self._failed = (error, time.monotonic())
        finally:
            self._fetching = None
