"""Limits the scratch space of uploads on their way to the store."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

from lumenmill_common.caller import Caller
from lumenmill_common.errors import ResourceExhaustedError

__all__ = ["UploadQuota"]


class UploadQuota:
    """Counts the bytes of all running uploads: a pod that fills its scratch disk is evicted with all its work."""

    def __init__(self, max_bytes: int, max_bytes_per_caller: int) -> None:
        """`max_bytes_per_caller` limits the uploads of one caller, where callers have tokens of their own."""
        self._max_bytes, self._max_bytes_per_caller = max_bytes, max_bytes_per_caller
        self._num_bytes: Counter[str] = Counter()
        """Bytes of running uploads by the name of the caller."""

    @contextlib.contextmanager
    def one_file(self, caller: Caller) -> Iterator[Callable[[int], None]]:
        """Yield a function that reserves a number of bytes for one file of a caller; call it before writing them.

        The reservation ends with the block.

        Raises:
            ResourceExhaustedError: the file exceeds a limit, or running uploads together do for now.
        """
        size_bytes = 0
        limits = [(self._max_bytes, "LUMENMILL_MAX_UPLOAD_BYTES")]
        if caller.is_limited:
            limits.append((self._max_bytes_per_caller, "LUMENMILL_MAX_UPLOAD_BYTES_PER_CALLER"))

        def reserve(num_bytes: int) -> None:
            nonlocal size_bytes
            for limit, variable in limits:
                if size_bytes + num_bytes > limit:
                    raise ResourceExhaustedError(
                        f"the file exceeds the limit of {limit} bytes ({variable})", retry_delay_s=0.0
                    )
            if caller.is_limited and self._num_bytes[caller.name] + num_bytes > self._max_bytes_per_caller:
                raise ResourceExhaustedError(
                    f"the running uploads of `{caller.name}` exceed {self._max_bytes_per_caller} bytes, the limit for "
                    "each caller (LUMENMILL_MAX_UPLOAD_BYTES_PER_CALLER); try again when some have ended"
                )
            if self._num_bytes.total() + num_bytes > self._max_bytes:
                raise ResourceExhaustedError(
                    f"all running uploads together exceed the limit of {self._max_bytes} bytes "
                    "(LUMENMILL_MAX_UPLOAD_BYTES); try again when others have ended"
                )
            size_bytes += num_bytes
            self._num_bytes[caller.name] += num_bytes

        try:
            yield reserve
        finally:
            self._num_bytes[caller.name] -= size_bytes
            if not self._num_bytes[caller.name]:
                del self._num_bytes[caller.name]
