"""The bounds of the contracts, checked on the parts of a message that are known before the run."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.message import Message

__all__ = ["BoundProblem", "bound_problems"]


@dataclass(frozen=True)
class BoundProblem:
    """A bound that a message breaks."""

    text: str
    field: str = ""
    """Name of the field; empty when the problem is one of the whole message."""
    index: int | None = None
    """Of the element in the field, where the problem is one of an element."""


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
            yield BoundProblem(f"needs one of {', '.join(f'`{member}`' for member in members)}")
        return
    if field is None or name in open_fields:
        return
    # Other rules on a field with a message are rules of that message.
    if field.message_type is None or rule == "required" or rule.startswith(("repeated.", "map.")):
        place = name if index is None else f"{name}[{index}]"
        yield BoundProblem(f"`{place}` {text.removeprefix('value ').removeprefix('repeated value ')}", name, index)
