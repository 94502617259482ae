"""Static types of the values of references, taken from the descriptors of the contracts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

__all__ = [
    "UNRESOLVED",
    "TypeKind",
    "ValueType",
    "field_type",
    "is_map_field",
    "message_of",
    "message_type",
    "record_type",
    "scalar_type",
    "with_article",
]


class TypeKind(StrEnum):
    """Kinds of single values."""

    MESSAGE = "message"
    ENUM = "enum"
    STRING = "string"
    BYTES = "bytes"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    RECORD = "record"


_KIND_OF_CPP_TYPE = {
    FieldDescriptor.CPPTYPE_INT32: TypeKind.INT,
    FieldDescriptor.CPPTYPE_INT64: TypeKind.INT,
    FieldDescriptor.CPPTYPE_UINT32: TypeKind.INT,
    FieldDescriptor.CPPTYPE_UINT64: TypeKind.INT,
    FieldDescriptor.CPPTYPE_DOUBLE: TypeKind.FLOAT,
    FieldDescriptor.CPPTYPE_FLOAT: TypeKind.FLOAT,
    FieldDescriptor.CPPTYPE_BOOL: TypeKind.BOOL,
    FieldDescriptor.CPPTYPE_ENUM: TypeKind.ENUM,
    FieldDescriptor.CPPTYPE_STRING: TypeKind.STRING,
    FieldDescriptor.CPPTYPE_MESSAGE: TypeKind.MESSAGE,
}


@dataclass(frozen=True)
class ValueType:
    """The type of a value: a single one, a list, or a map from strings."""

    kind: TypeKind
    message: Descriptor | None = None
    enum: EnumDescriptor | None = None
    members: Mapping[str, "ValueType"] | None = None
    is_list: bool = False
    is_map: bool = False

    def element(self) -> "ValueType":
        """Return the type of one element of a list or map."""
        return replace(self, is_list=False, is_map=False)

    def listed(self) -> "ValueType":
        """Return the type of a list of these."""
        return replace(self, is_list=True)

    def mapped(self) -> "ValueType":
        """Return the type of a map from names to these."""
        return replace(self, is_map=True)

    def accepts(self, other: "ValueType") -> bool:
        """Return whether a value of the other type may be used where this type is expected."""
        if (self.is_list, self.is_map) != (other.is_list, other.is_map):
            return False
        if self.kind is TypeKind.MESSAGE:
            return other.kind is TypeKind.MESSAGE and self.message is other.message
        if self.kind is TypeKind.ENUM:
            return other.kind is TypeKind.ENUM and self.enum is other.enum
        if self.kind is TypeKind.FLOAT:
            return other.kind in (TypeKind.FLOAT, TypeKind.INT)
        return self.kind is other.kind

    def is_named_by(self, other: "ValueType") -> bool:
        """Return whether this is an enum and the other type is text, which may name a value of it."""
        is_single = not (self.is_list or self.is_map or other.is_list or other.is_map)
        return is_single and self.kind is TypeKind.ENUM and other.kind is TypeKind.STRING

    def __str__(self) -> str:
        """Return the type in words, for messages."""
        descriptor = self.message or self.enum
        name = descriptor.name if descriptor is not None else self.kind.value
        if self.is_list:
            return f"list of {name}"
        return f"map of {name}" if self.is_map else name


UNRESOLVED: Final = ValueType(TypeKind.RECORD)
"""The type of a name that has none because of a problem already reported."""


def with_article(name: object) -> str:
    """Return the name of a type with its article: "an int", "a string"."""
    return f"an {name}" if str(name)[0] in "aeiouAEIOU" else f"a {name}"


def scalar_type(kind: TypeKind) -> ValueType:
    """Return the type of a scalar."""
    return ValueType(kind)


def message_type(descriptor: Descriptor) -> ValueType:
    """Return the type of a message."""
    return ValueType(TypeKind.MESSAGE, message=descriptor)


def record_type(members: Mapping[str, ValueType]) -> ValueType:
    """Return the type of a fixed set of named values: parameters, the item, the models."""
    return ValueType(TypeKind.RECORD, members=members)


def message_of(field: FieldDescriptor) -> Descriptor:
    """Return the message type of a field that has one."""
    if field.message_type is None:
        raise TypeError(f"`{field.full_name}` is no message")
    return field.message_type


def is_map_field(field: FieldDescriptor) -> bool:
    """Return whether a field is a protobuf map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def field_type(field: FieldDescriptor) -> ValueType:
    """Return the type of a field of a message."""
    if is_map_field(field):
        return replace(field_type(message_of(field).fields_by_name["value"]), is_map=True)
    kind = _KIND_OF_CPP_TYPE[field.cpp_type]
    if kind is TypeKind.STRING and field.type == FieldDescriptor.TYPE_BYTES:
        kind = TypeKind.BYTES
    return ValueType(kind, message=field.message_type, enum=field.enum_type, is_list=field.is_repeated)
