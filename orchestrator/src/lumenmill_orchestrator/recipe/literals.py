"""Converts YAML scalars to values of message fields."""

import base64
import binascii
import math
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from lumenmill_orchestrator.recipe.document import Located, did_you_mean, shown
from lumenmill_orchestrator.recipe.types import TypeKind, field_type, with_article

__all__ = ["enum_number", "finite_float", "scalar_literal", "unfit"]

_INTEGER_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}

_LONGEST_VALUE = 60


def scalar_literal(target: FieldDescriptor, value: Any) -> Any:
    """Return the Python value of a field for a YAML scalar.

    Raises:
        ValueError: it does not fit; the message continues the name of the field.
    """
    kind = field_type(target).kind
    if kind is TypeKind.ENUM:
        return _enum_literal(target, value)
    if kind is TypeKind.BYTES:
        return _bytes_literal(value)
    if kind is TypeKind.BOOL and isinstance(value, bool):
        return value
    if kind is TypeKind.STRING and isinstance(value, str):
        return value
    if kind is TypeKind.INT and isinstance(value, int) and not isinstance(value, bool):
        low, high = _INTEGER_RANGES[target.cpp_type]
        if not low <= value <= high:
            raise ValueError(f"must lie between {low} and {high}")
        return value
    if kind is TypeKind.FLOAT and isinstance(value, int | float) and not isinstance(value, bool):
        return finite_float(value)
    raise ValueError(f"is {with_article(kind.value)}, but this is {_described(value)}")


def unfit(target: FieldDescriptor, value: Any) -> str:
    """Return why a value of the right kind cannot be set: only whole numbers have a range of their own."""
    if target.cpp_type in _INTEGER_RANGES:
        low, high = _INTEGER_RANGES[target.cpp_type]
        return f"`{target.name}` must lie between {low} and {high}, and is {shown(value)}"
    return f"`{target.name}` cannot be {shown(value)}"


def finite_float(value: float) -> float:
    """Return a number as a float.

    Raises:
        ValueError: it is infinite or not a number, or larger than a float can be; the message continues its name.
    """
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


def enum_number(enum: EnumDescriptor, value: Any) -> int:
    """Return the number of an enum's value, by its name with or without the prefix that all names of the enum have.

    Raises:
        ValueError: there is none; the message continues the name of the field.
    """
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    full = str(value) if str(value).startswith(prefix) else f"{prefix}{value}"
    if isinstance(value, str) and full in enum.values_by_name:
        return int(enum.values_by_name[full].number)
    raise ValueError(
        f"is {with_article(enum.name)}, which has no {_described(value)}{did_you_mean(full, enum.values_by_name)}"
    )


def _enum_literal(target: FieldDescriptor, value: Any) -> int:
    if target.enum_type is None:
        raise TypeError(f"`{target.full_name}` is no enum")
    return enum_number(target.enum_type, value)


def _bytes_literal(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, binascii.Error):
        raise ValueError("is bytes; write them in base64") from None


def _described(value: Any) -> str:
    if isinstance(value, Located | dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else f"`{value}`"
