"""Functions that fill fields of a message from a scope, chosen once when a recipe is compiled."""

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from lumenmill_orchestrator.recipe.literals import unfit
from lumenmill_orchestrator.recipe.references import MISSING, Reference, Scope
from lumenmill_orchestrator.recipe.types import is_map_field

__all__ = [
    "Fill",
    "Produce",
    "append_fill",
    "comprehension_fill",
    "conditional_fill",
    "conditional_produce",
    "map_fill",
    "reference_fill",
    "text_fill",
]

Fill = Callable[[Message, Scope], None]
Produce = Callable[[Scope], Any]
Holds = Callable[[Scope], bool | None]
"""Returns whether a condition is true; None when that is not known."""


def reference_fill(target: FieldDescriptor, reference: Reference) -> Fill:
    """Fill a field with the value of a reference; an absent value leaves it unset.

    The function raises ValueError, naming the field, for a value that the field cannot hold.
    """
    name, evaluate, put = target.name, reference.evaluate, _put_of(target)

    def fill(message: Message, scope: Scope) -> None:
        value = evaluate(scope)
        if value is MISSING:
            return
        try:
            put(message, name, value)
        except (TypeError, ValueError):
            raise ValueError(unfit(target, value)) from None

    return fill


def _put_of(target: FieldDescriptor) -> Callable[[Message, str, Any], None]:
    """Return the function that stores a value in a field of this kind."""
    if is_map_field(target):
        return _put_map
    if target.is_repeated:
        return _put_list
    return setattr if target.message_type is None else _put_message


def _put_message(message: Message, name: str, value: Any) -> None:
    getattr(message, name).CopyFrom(value)


def _put_list(message: Message, name: str, value: Any) -> None:
    getattr(message, name).extend(element for element in value if element is not MISSING)


def _put_map(message: Message, name: str, value: Any) -> None:
    for key in value:
        _set_map_entry(getattr(message, name), key, value[key])


def append_fill(target: FieldDescriptor, produce: Produce) -> Fill:
    """Append one element to a list field; errors as `reference_fill`."""
    name = target.name

    def fill(message: Message, scope: Scope) -> None:
        value = produce(scope)
        if value is MISSING:
            return
        try:
            getattr(message, name).append(value)
        except (TypeError, ValueError):
            raise ValueError(unfit(target, value)) from None

    return fill


def map_fill(target: FieldDescriptor, key: str, produce: Produce) -> Fill:
    """Set one entry of a map field."""
    name = target.name

    def fill(message: Message, scope: Scope) -> None:
        value = produce(scope)
        if value is not MISSING:
            _set_map_entry(getattr(message, name), key, value)

    return fill


def _set_map_entry(container: Any, key: str, value: Any) -> None:
    if isinstance(value, Message):
        container[key].CopyFrom(value)
    else:
        container[key] = value


def comprehension_fill(target: FieldDescriptor, reference: Reference, produce: Produce) -> Fill:
    """Append one produced element for each element of a list."""
    name = target.name

    def fill(message: Message, scope: Scope) -> None:
        getattr(message, name).extend(_comprehended(reference.evaluate(scope), produce, scope))

    return fill


def _comprehended(elements: Any, produce: Produce, scope: Scope) -> Iterator[Any]:
    if elements is MISSING:
        return
    for index, element in enumerate(elements):
        made = produce({**scope, "each": element, "each_index": index})
        if made is not MISSING:
            yield made


def conditional_fill(holds: Holds, then: Fill, otherwise: Fill) -> Fill:
    """Fill by one of two functions; a condition that is not known does not hold."""
    return lambda message, scope: (then if holds(scope) else otherwise)(message, scope)


def conditional_produce(holds: Holds, then: Produce | None, otherwise: Produce | None) -> Produce:
    """Produce one of two elements; no element where there is none."""

    def produce(scope: Scope) -> Any:
        chosen = then if holds(scope) else otherwise
        return MISSING if chosen is None else chosen(scope)

    return produce


def text_fill(target: FieldDescriptor, parts: list[str | Reference]) -> Fill:
    """Set a string field to text with values inserted; absent values are empty."""
    name = target.name
    return lambda message, scope: setattr(message, name, _joined(parts, scope))


def _joined(parts: list[str | Reference], scope: Scope) -> str:
    return "".join(part if isinstance(part, str) else _text(part.evaluate(scope)) for part in parts)


def _text(value: Any) -> str:
    return "" if value is MISSING else str(value)
