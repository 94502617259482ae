"""Something that is looked at on demand: once at a time for all who ask, and not again and again while that fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from lumenmill_common.errors import UnavailableError

__all__ = ["Look"]

_WAIT_S = 10.0
# A server that does not answer holds a question for half a minute: asking it at every turn would only add to that.
_FAILED_FOR_S = 5.0
SeenT = TypeVar("SeenT")


class Look(Generic[SeenT]):
    """What was seen last, and the one look that is under way. Who asks and goes away does not end it."""

    def __init__(self, look: Callable[[], Awaitable[SeenT]]) -> None:
        self._look = look
        self._looking: asyncio.Task[None] | None = None
        self._seen: tuple[SeenT, float] | None = None
        self._failed: tuple[Exception, float] | None = None

    @property
    def last(self) -> SeenT | None:
        """What was seen last, however long ago."""
        return None if self._seen is None else self._seen[0]

    async def at(self, fresh_s: float, *, usable_s: float = 0.0, within_s: float = _WAIT_S) -> SeenT:
        """What there is, seen at most `fresh_s` ago or by the look that is under way. What is older, but was seen at
        most `usable_s` ago, is told as well, while a look begins.

        Raises:
            UnavailableError: nothing was seen within `within_s`; the look goes on.
            Exception: whatever the look failed with, now or a few seconds ago.
        """
        age_s = float("inf") if self._seen is None else time.monotonic() - self._seen[1]
        if age_s > fresh_s:
            self._begin()
        if self._seen is not None and age_s <= max(fresh_s, usable_s):
            return self._seen[0]
        looking = self._looking
        if looking is not None:
            await asyncio.wait([looking], timeout=within_s)
            if not looking.done():
                raise UnavailableError(f"the API server of Kubernetes has not answered within {within_s:.0f} s")
        if self._failed is not None:
            raise self._failed[0].with_traceback(None)
        if self._seen is None:
            raise UnavailableError("nobody has looked yet: the orchestrator is ending")
        return self._seen[0]

    def _begin(self) -> None:
        """Look, unless somebody does so already, or it has just failed."""
        has_just_failed = self._failed is not None and time.monotonic() - self._failed[1] < _FAILED_FOR_S
        if self._looking is None and not has_just_failed:
            self._looking = asyncio.create_task(self._see())

    async def _see(self) -> None:
        began_s = time.monotonic()
        try:
            self._seen = (await self._look(), began_s)
            self._failed = None
        except Exception as error:
            self._failed = (error, time.monotonic())
        finally:
            self._looking = None
