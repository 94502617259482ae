# NumPy is imported where an array is met: services without arrays do not have it.
# ruff: noqa: PLC0415
"""The encoding of replies of decoding processes: JSON, with bytes and arrays in parts of their own.

Decoders have had bugs that run code of their file, so a reply must not be able to make the service call anything: it
holds plain values, arrays of numbers, and dataclasses that are marked with `decoder_result`.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["decoder_result", "packed_reply", "unpacked_reply"]

ClassT = TypeVar("ClassT", bound=type)

_PLAIN = (type(None), bool, int, float, str)
# Booleans, integers, floats and complex numbers (NumPy, "Array interface", typestr).
_NUMBER_KINDS = frozenset("biufc")

_classes: dict[str, Any] = {}


def decoder_result(cls: ClassT) -> ClassT:
    """Mark a dataclass as one that decoders return."""
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is no dataclass")
    _classes[_name(cls)] = cls
    return cls


def packed_reply(value: Any) -> list[memoryview]:
    """Return the parts of a reply: its JSON, then bytes and the values of arrays.

    Raises:
        TypeError: the value holds something that replies must not hold.
    """
    buffers: list[memoryview] = []
    head = json.dumps(_packed(value, buffers)).encode()
    return [memoryview(head), *buffers]


def unpacked_reply(head: memoryview, buffers: Sequence[memoryview]) -> Any:
    """Return the value of a reply; its arrays use the memory of `buffers`.

    Raises some Exception if the parts are not those of a reply: which one depends on what is wrong.
    """
    return _unpacked(json.loads(bytes(head)), buffers)


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _packed(value: Any, buffers: list[memoryview]) -> Any:
    """Return what stands for a value in JSON: itself, or a list of a kind and what that kind needs."""
    if type(value) in _PLAIN:
        return value
    if type(value) in (list, tuple):
        return [type(value).__name__, [_packed(each, buffers) for each in value]]
    if type(value) is dict:
        return ["dict", [[_packed(key, buffers), _packed(each, buffers)] for key, each in value.items()]]
    if type(value) is bytes:
        buffers.append(memoryview(value))
        return ["bytes", len(buffers) - 1]
    if type(value).__module__ == "numpy":
        return _packed_array(value, buffers)
    cls = _classes.get(_name(type(value)))
    if cls is not None:
        values = {field.name: getattr(value, field.name) for field in dataclasses.fields(cls)}
        return ["class", _name(cls), _packed(values, buffers)]
    raise TypeError(f"a reply cannot hold a {_name(type(value))}; mark dataclasses with `decoder_result`")


def _packed_array(value: "NDArray[Any] | np.generic", buffers: list[memoryview]) -> list[Any]:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind not in _NUMBER_KINDS:
        raise TypeError(f"a reply cannot hold an array of {array.dtype}")
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    values = np.ascontiguousarray(array.T if is_fortran else array).reshape(-1)
    buffers.append(values.view(np.uint8).data)
    kind = "array" if isinstance(value, np.ndarray) else "number"
    return [kind, len(buffers) - 1, array.dtype.str, list(array.shape), "F" if is_fortran else "C"]


def _unpacked(packed: Any, buffers: Sequence[memoryview]) -> Any:  # noqa: PLR0911 - one for each kind
    if type(packed) in _PLAIN:
        return packed
    match packed:
        case ["list", [*items]]:
            return [_unpacked(each, buffers) for each in items]
        case ["tuple", [*items]]:
            return tuple(_unpacked(each, buffers) for each in items)
        case ["dict", [*items]]:
            return {_unpacked(key, buffers): _unpacked(each, buffers) for key, each in items}
        case ["bytes", index]:
            return bytes(buffers[index])
        case ["array", index, dtype, shape, order]:
            return _array(buffers[index], dtype, shape, order)
        case ["number", index, dtype, [], order]:
            return _array(buffers[index], dtype, [], order)[()]
        case ["class", name, values]:
            return _classes[name](**_unpacked(values, buffers))
    raise ValueError("holds a value of an unknown kind")


def _array(buffer: memoryview, dtype: str, shape: list[int], order: Any) -> "NDArray[Any]":
    import numpy as np

    if np.dtype(dtype).kind not in _NUMBER_KINDS:
        raise ValueError(f"holds an array of {dtype}")
    return np.ndarray(shape, np.dtype(dtype), buffer, order=order)
