"""Bounds uploads that do not proceed: how many one caller may have open, and how long one may send nothing."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from lumenmill_common.errors import DeadlineExceededError, ResourceExhaustedError

__all__ = ["OpenUploads", "proceeding"]

_T = TypeVar("_T")

# Commands upload one file at a time; a program may upload some at once, and callers behind one proxy share an address.
_MAX_OPEN_PER_CALLER = 64
# A chunk has 1 MiB: a slower connection than 17 KiB/s ends.
_MAX_IDLE_S = 60.0


class OpenUploads:
    """Counts the open uploads of each caller."""

    def __init__(self) -> None:
        self._num_open: Counter[str] = Counter()

    @contextlib.contextmanager
    def one(self, caller: str) -> Iterator[None]:
        """Count an upload as open inside the block.

        Raises:
            ResourceExhaustedError: the caller has too many open already.
        """
        if self._num_open[caller] >= _MAX_OPEN_PER_CALLER:
            raise ResourceExhaustedError(f"{_MAX_OPEN_PER_CALLER} uploads are open already; finish or cancel one first")
        self._num_open[caller] += 1
        try:
            yield
        finally:
            self._num_open[caller] -= 1
            if not self._num_open[caller]:
                del self._num_open[caller]


async def proceeding(requests: AsyncIterator[_T]) -> AsyncIterator[_T]:
    """Yield the messages of an upload.

    Raises:
        DeadlineExceededError: none arrived for a minute.
    """
    while True:
        try:
            async with asyncio.timeout(_MAX_IDLE_S):
                request = await anext(requests)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise DeadlineExceededError(f"the upload sent no data for {_MAX_IDLE_S:g} s; send the file again") from None
        yield request
