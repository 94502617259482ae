"""Limits the scratch space of uploads on their way to the store."""

import contextlib
from collections.abc import Callable, Iterator

from lumenmill_common.errors import ResourceExhaustedError

__all__ = ["UploadQuota"]


class UploadQuota:
    """Counts the bytes of all running uploads: a pod that fills its scratch disk is evicted with all its work."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._num_bytes = max_bytes, 0

    @contextlib.contextmanager
    def one_file(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that reserves a number of bytes for one file; call it before writing them.

        The reservation ends with the block.

        Raises:
            ResourceExhaustedError: the file exceeds the quota, or all uploads together do for now.
        """
        size_bytes = 0

        def reserve(num_bytes: int) -> None:
            nonlocal size_bytes
            if size_bytes + num_bytes > self._max_bytes:
                raise ResourceExhaustedError(
                    f"the file exceeds the limit of {self._max_bytes} bytes (LUMENMILL_MAX_UPLOAD_BYTES)",
                    retry_delay_s=0.0,
                )
            if self._num_bytes + num_bytes > self._max_bytes:
                raise ResourceExhaustedError(
                    f"all running uploads together exceed the limit of {self._max_bytes} bytes "
                    "(LUMENMILL_MAX_UPLOAD_BYTES); try again when others have ended"
                )
            size_bytes += num_bytes
            self._num_bytes += num_bytes

        try:
            yield reserve
        finally:
            self._num_bytes -= size_bytes
