"""The bounds of the contracts, checked on whole messages and on the parts of one that are known before the run."""

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from lumenmill_common.interceptors import field_path
from lumenmill_orchestrator.recipe.types import message_of

__all__ = ["BoundProblem", "bound_problems", "first_bound_problem", "max_items_of", "max_length_of"]

_LONGEST_VALUE = 40
# Of fields whose contract states none.
_MAX_ITEMS, _MAX_LENGTH = 1024, 1 << 20


@dataclass(frozen=True)
class BoundProblem:
    """A bound that a message breaks."""

    text: str
    field: str = ""
    """Name of the field; empty when the problem is one of the whole message."""
    index: int | None = None
    """Of the element in the field, where the problem is one of an element."""


def first_bound_problem(message: Message) -> str:
    """Return the first bound that a whole message breaks, with the place and its value; empty if it breaks none.

    ``"`light.sources[0].area.irradiance` is -4; must be greater than or equal to 0 and less than or equal to 100000"``
    """
    for violation in protovalidate.collect_violations(message):
        path, text = violation.proto.field, violation.proto.message.removeprefix("value ")
        if path is None or not path.elements:
            return text
        if members := _members_of_oneof(message, [element.field_name for element in path.elements]):
            return f"`{field_path(path).rpartition('.')[0]}` {_needs_one_of(members)}"
        value = violation.field_value
        is_shown = isinstance(value, str | int | float) and violation.proto.rule_id != "required"
        return f"`{field_path(path)}` {f'is {_shown(value)}; ' if is_shown else ''}{text}"
    return ""


def _members_of_oneof(message: Message, names: Sequence[str]) -> list[str]:
    """Return the fields of the oneof that a path of names ends in; none if it ends in a field."""
    holder: Any = message.DESCRIPTOR
    for name in names[:-1]:
        holder = message_of(holder.fields_by_name[name])
    oneof = holder.oneofs_by_name.get(names[-1])
    return [member.name for member in oneof.fields] if oneof is not None else []


def _needs_one_of(members: Iterable[str]) -> str:
    return f"needs one of {', '.join(f'`{member}`' for member in members)}"


def _shown(value: str | float) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…")
    return f"{value:g}" if isinstance(value, float) else str(value)


def bound_problems(message: Message, open_fields: Set[str]) -> Iterator[BoundProblem]:
    """Yield the problems of a message itself; those of the messages in it are found where they are compiled.

    Args:
        message: what is known of it.
        open_fields: names of fields with parts that are known only in the run; nothing that depends on one is reported.
    """
    for violation in protovalidate.collect_violations(message):
        elements = violation.proto.field.elements if violation.proto.field is not None else ()
        text = violation.proto.message
        if not elements:
            if open_fields.isdisjoint(_fields_of_rule(message, violation.proto.rule_id)):
                yield BoundProblem(text)
        elif len(elements) == 1:
            name, subscript = elements[0].field_name, elements[0].subscript
            index = int(subscript.value) if subscript is not None and subscript.field == "index" else None
            yield from _own_problem(message, name, index, text, violation.proto.rule_id, open_fields)


def _fields_of_rule(message: Message, rule_id: str) -> set[str]:
    """Return the names of the fields that a rule of a whole message refers to."""
    rules = message.DESCRIPTOR.GetOptions().Extensions[validate_pb2.message].cel
    return {name for rule in rules if rule.id == rule_id for name in re.findall(r"this\.(\w+)", rule.expression)}


def _own_problem(
    message: Message, name: str, index: int | None, text: str, rule: str, open_fields: Set[str]
) -> Iterator[BoundProblem]:
    oneof = message.DESCRIPTOR.oneofs_by_name.get(name)
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None and oneof is not None:
        members = [member.name for member in oneof.fields]
        if open_fields.isdisjoint(members):
            yield BoundProblem(_needs_one_of(members))
        return
    if field is None or name in open_fields:
        return
    # Other rules on a field with a message are rules of that message.
    if field.message_type is None or rule == "required" or rule.startswith(("repeated.", "map.")):
        place = name if index is None else f"{name}[{index}]"
        yield BoundProblem(f"`{place}` {text.removeprefix('value ').removeprefix('repeated value ')}", name, index)


def max_items_of(field: FieldDescriptor) -> int:
    """Return how many elements a list of a contract may have."""
    rules = field.GetOptions().Extensions[validate_pb2.field].repeated
    return int(rules.max_items) if rules.HasField("max_items") else _MAX_ITEMS


def max_length_of(field: FieldDescriptor) -> int:
    """Return how long the text or the bytes of a field may be."""
    all_rules = field.GetOptions().Extensions[validate_pb2.field]
    rules = all_rules.string if field.type == FieldDescriptor.TYPE_STRING else all_rules.bytes
    return int(rules.max_len) if rules.HasField("max_len") else _MAX_LENGTH
