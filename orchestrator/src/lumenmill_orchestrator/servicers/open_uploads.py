"""Bounds uploads that do not proceed: how many one caller may have open, and how slow one may be."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator

from lumenmill.orchestrator.v1.artifact_service_pb2 import UploadArtifactRequest
from lumenmill_common.errors import DeadlineExceededError, InvalidArgumentError, ResourceExhaustedError

__all__ = ["OpenUploads", "proceeding"]

# Commands upload one file at a time; a program may upload some at once, and callers behind one proxy share an address.
_MAX_OPEN_PER_CALLER = 64
# A chunk has 1 MiB: a slower connection than 17 KiB/s ends, whether its chunks are large or small.
_MAX_IDLE_S = 60.0
_MIN_BYTES_PER_S = (1 << 20) / _MAX_IDLE_S


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


async def proceeding(requests: AsyncIterator[UploadArtifactRequest]) -> AsyncIterator[UploadArtifactRequest]:
    """Yield the messages of an upload. The time in which the service works on them does not count.

    Raises:
        DeadlineExceededError: none arrived for a minute, or fewer bytes than 1 MiB for each minute after the first.
        InvalidArgumentError: a chunk has no bytes.
    """
    clock_s = asyncio.get_running_loop().time
    num_bytes, waited_s = 0, 0.0
    while True:
        before_too_slow_s = _MAX_IDLE_S + num_bytes / _MIN_BYTES_PER_S - waited_s
        started_s = clock_s()
        try:
            async with asyncio.timeout(min(_MAX_IDLE_S, before_too_slow_s)):
                request = await anext(requests)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if before_too_slow_s >= _MAX_IDLE_S:
                problem = f"no data for {_MAX_IDLE_S:g} s"
            else:
                problem = f"{num_bytes} bytes in {waited_s + before_too_slow_s:.3g} s, which is too slow"
            raise DeadlineExceededError(f"the upload sent {problem}; send the file again") from None
        waited_s += clock_s() - started_s
        if request.WhichOneof("part") == "chunk" and not request.chunk:
            raise InvalidArgumentError("chunk", "is empty; send the bytes of the file, then end the stream")
        num_bytes += len(request.chunk)
        yield request
