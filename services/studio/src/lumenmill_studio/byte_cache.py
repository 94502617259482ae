"""A cache whose limit is the bytes of the arrays that it holds."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["ByteCache"]

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class ByteCache(Generic[KeyT, ValueT]):
    """The most recently used values within a number of bytes, and always the newest one."""

    def __init__(self, max_bytes: int) -> None:
        self._values: OrderedDict[KeyT, tuple[ValueT, int]] = OrderedDict()
        self._max_bytes = max_bytes
        self.num_bytes = 0
        """Bytes of memory that the arrays hold."""

    def get(self, key: KeyT) -> ValueT | None:
        """Return a value, or None."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: KeyT, value: ValueT, arrays: Sequence[NDArray[Any]] | None = None) -> None:
        """Add or replace a value; the least recently used ones are removed when they exceed the limit.

        ``arrays`` are those that the value holds; by default the value is an array itself.
        """
        if key in self._values:
            self.num_bytes -= self._values.pop(key)[1]
        held_bytes = sum(_held_bytes(array) for array in ([np.asarray(value)] if arrays is None else arrays))
        self._values[key] = value, held_bytes
        self.num_bytes += held_bytes
        while self.num_bytes > self._max_bytes and len(self._values) > 1:
            self.num_bytes -= self._values.popitem(last=False)[1][1]


def _held_bytes(array: NDArray[Any]) -> int:
    """Return the bytes that stay allocated with an array: a view keeps all of the array that it shows a part of."""
    whole: Any = array
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    return int(whole.nbytes)
