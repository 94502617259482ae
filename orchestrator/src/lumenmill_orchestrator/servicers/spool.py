"""Room on the scratch disk for files on their way to the store."""

import contextlib
from collections.abc import Callable, Iterator

from lumenmill_common.errors import ResourceExhaustedError

__all__ = ["SpoolRoom"]


class SpoolRoom:
    """Counts the bytes of all uploads that run: a pod that fills its scratch disk is evicted, with all that it does."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._num_bytes = max_bytes, 0

    @contextlib.contextmanager
    def one_file(self) -> Iterator[Callable[[int], None]]:
        """The room that one file has inside the block. Call what it yields with a number of bytes before writing them.

        Raises:
            ResourceExhaustedError: the file is too large for any room, or others take it up for now.
        """
        size_bytes = 0

        def grow(num_bytes: int) -> None:
            nonlocal size_bytes
            if size_bytes + num_bytes > self._max_bytes:
                raise ResourceExhaustedError(
                    f"a file may have {self._max_bytes} bytes (LUMENMILL_MAX_UPLOAD_BYTES); this one has more",
                    retry_delay_s=0.0,
                )
            if self._num_bytes + num_bytes > self._max_bytes:
                raise ResourceExhaustedError(
                    f"the files that are being uploaded may have {self._max_bytes} bytes together "
                    "(LUMENMILL_MAX_UPLOAD_BYTES); try again when others are done"
                )
            size_bytes += num_bytes
            self._num_bytes += num_bytes

        try:
            yield grow
        finally:
            self._num_bytes -= size_bytes
