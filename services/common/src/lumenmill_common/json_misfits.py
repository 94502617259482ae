"""What of a JSON object does not fit a message, in the words of the documents."""

import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message_factory import GetMessageClass

__all__ = ["json_misfit"]

_WELL_KNOWN = "google.protobuf."
_FLOATS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)
_LONGEST_VALUE = 60


def json_misfit(content: Any, message: Descriptor) -> str:
    """Return in one line what of a JSON object that does not parse as a message is wrong.

    Fields have the names of the contracts (`image_prompt`), and a place inside is written `light.sources[0].area`.
    """
    return next(_misfits(content, message, ""), "does not fit")


def _misfits(content: Any, message: Descriptor, place: str) -> Iterator[str]:
    known = ", ".join(field.name for field in message.fields)
    if not isinstance(content, dict):
        yield f"`{place}` must have fields ({known}), and is {_shown(content)}"
        return
    fields = {key: field for field in message.fields for key in (field.name, field.json_name)}
    for key, value in content.items():
        field = fields.get(key)
        if field is None:
            inside = f" in `{place}`" if place else ""
            yield f'no field named "{key}"{inside}; it has: {known}'
        elif not _fits({key: value}, message):
            yield from _field_misfits(field, value, f"{place}.{field.name}" if place else field.name)
    for choice in message.oneofs:
        given = [field.name for field in choice.fields if not content.keys().isdisjoint((field.name, field.json_name))]
        if len(given) > 1:
            yield f"only one of {', '.join(given)} may be given" + (f" in `{place}`" if place else "")


def _fits(content: dict[str, Any], message: Descriptor) -> bool:
    try:
        ParseDict(content, GetMessageClass(message)())
    except (ParseError, ValueError):  # the latter for half of a surrogate pair
        return False
    return True


def _field_misfits(field: FieldDescriptor, value: Any, place: str) -> Iterator[str]:
    inner = field.message_type
    is_plain = inner is None or inner.full_name.startswith(_WELL_KNOWN) or inner.GetOptions().map_entry
    if field.is_repeated and not isinstance(value, list):
        yield f"`{place}` must be a list, and is {_shown(value)}"
    elif inner is not None and not is_plain:
        for index, element in enumerate(value if field.is_repeated else [value]):
            yield from _misfits(element, inner, f"{place}[{index}]" if field.is_repeated else place)
    else:
        yield f"`{place}` must be {_expected(field)}, and is {_shown(value)}"


def _expected(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        expected = f"one of {', '.join(_names(field.enum_type))}"
    elif field.message_type is not None:
        expected = f"a {field.message_type.name}"
    elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        expected = "bytes in base64" if field.type == FieldDescriptor.TYPE_BYTES else "valid text"
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        expected = "true or false"
    else:
        expected = "a number" if field.cpp_type in _FLOATS else "a whole number in the range of its type"
    return f"a list, each {expected}" if field.is_repeated else expected


def _names(enum: EnumDescriptor) -> list[str]:
    return [value.name for value in enum.values if value.number]


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
