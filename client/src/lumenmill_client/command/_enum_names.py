"""Values of enums as options take them and as everything that is printed has them: `accepted`, `videox-fun`."""

from collections.abc import Iterable
from typing import Any, Protocol

from google.protobuf.descriptor import EnumDescriptor

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["enum_choices", "enum_name", "enum_value", "rename_enums"]

# Documents of other contracts, such as prompt sets, are read again by recipes and clients, which know the names there.
_RENAMED_PACKAGE = run_pb2.DESCRIPTOR.package


class _Enum(Protocol):
    """A generated enum, such as `run_pb2.Verdict`."""

    DESCRIPTOR: EnumDescriptor


def enum_name(enum: _Enum, number: int) -> str:
    """Return the name of a value without the prefix that all names of the enum have: `accepted`.

    The name of a value that only a newer mesh knows is its number.
    """
    known = enum.DESCRIPTOR.values_by_number.get(number)
    return _short(enum.DESCRIPTOR, known.name if known is not None else str(number))


def enum_choices(enum: _Enum) -> list[str]:
    """Return the names that an option of this enum takes."""
    return [enum_name(enum, number) for number in enum.DESCRIPTOR.values_by_number if number]


def enum_value(enum: _Enum, name: str, option: str) -> int:
    """Return the number of a value by its name, with or without prefix.

    Raises:
        InvalidArgumentError: the enum has no such value; names `option` and the values that it has.
    """
    descriptor = enum.DESCRIPTOR
    full = _prefix(descriptor) + name.upper().replace("-", "_").removeprefix(_prefix(descriptor))
    number = descriptor.values_by_name[full].number if full in descriptor.values_by_name else 0
    if not number:
        raise InvalidArgumentError(option, f"{name!r} is not one of: {', '.join(enum_choices(enum))}")
    return int(number)


def rename_enums(document: dict[str, Any], message: Any) -> None:
    """Rename the values of the orchestrator's enums in the JSON form of a message with this descriptor, in place."""
    if message.file.package.startswith("google."):  # a Struct has whatever names its author chose
        return
    for field in message.fields:
        value = document.get(field.name)
        if value is None:
            continue
        if field.enum_type is not None and field.enum_type.file.package == _RENAMED_PACKAGE:
            names = [_short(field.enum_type, str(name)) for name in (value if field.is_repeated else [value])]
            document[field.name] = names if field.is_repeated else names[0]
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            _rename_in(value.values(), field.message_type.fields_by_name["value"].message_type)
        else:
            _rename_in(value if field.is_repeated else [value], field.message_type)


def _rename_in(elements: Iterable[Any], message: Any) -> None:
    for element in elements:
        if isinstance(element, dict):  # well-known types such as Timestamp are texts
            rename_enums(element, message)


def _short(enum: EnumDescriptor, name: str) -> str:
    return name.removeprefix(_prefix(enum)).lower().replace("_", "-")


def _prefix(enum: EnumDescriptor) -> str:
    return str(enum.values_by_number[0].name.removesuffix("UNSPECIFIED"))
