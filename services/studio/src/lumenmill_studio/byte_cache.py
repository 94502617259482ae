"""A cache of arrays that is limited by the bytes that they hold."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

__all__ = ["ByteCache"]

KeyT = TypeVar("KeyT", bound=Hashable)


class ByteCache(Generic[KeyT]):
    """The most recently used arrays within a number of bytes, and always the newest one."""

    def __init__(self, max_bytes: int) -> None:
        self._arrays: OrderedDict[KeyT, NDArray[Any]] = OrderedDict()
        self._max_bytes = max_bytes
        self.num_bytes = 0
        """Bytes of memory that the arrays hold."""

    def get(self, key: KeyT) -> NDArray[Any] | None:
        """Return an array, or None."""
        array = self._arrays.get(key)
        if array is not None:
            self._arrays.move_to_end(key)
        return array

    def put(self, key: KeyT, array: NDArray[Any]) -> None:
        """Add or replace an array; the least recently used ones are removed when they exceed the limit."""
        if key in self._arrays:
            self.num_bytes -= _held_bytes(self._arrays.pop(key))
        self._arrays[key] = array
        self.num_bytes += _held_bytes(array)
        while self.num_bytes > self._max_bytes and len(self._arrays) > 1:
            self.num_bytes -= _held_bytes(self._arrays.popitem(last=False)[1])


def _held_bytes(array: NDArray[Any]) -> int:
    """Return the bytes that stay allocated with an array: a view keeps all of the array that it shows a part of."""
    whole: Any = array
    while whole.base is not None and hasattr(whole.base, "nbytes"):
        whole = whole.base
    return int(whole.nbytes)
