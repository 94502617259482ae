"""Functions that fill fields of a message from a scope, chosen once when a recipe is compiled.

No field gets more than its contract allows: a fill stops there, however long the lists and texts are that it reads.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from lumenmill_orchestrator.recipe.bounds import max_items_of, max_length_of
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


class _ExceededError(ValueError):
    """A field would get more than its contract allows."""

    def __init__(self, name: str, most: str) -> None:
        super().__init__(f"`{name}` cannot be set: it has more than {most}")


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
        except _ExceededError:
            raise
        except (TypeError, ValueError):
            raise ValueError(unfit(target, value)) from None

    return fill


def _put_of(target: FieldDescriptor) -> Callable[[Message, str, Any], None]:
    """Return the function that stores a value in a field of this kind."""
    if is_map_field(target):
        return _put_map
    if target.is_repeated:
        max_items = max_items_of(target)
        return lambda message, name, value: _extend(message, name, value, max_items)
    if target.message_type is not None:
        return _put_message
    if target.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return partial(_put_text, max_length_of(target))
    return setattr


def _put_message(message: Message, name: str, value: Any) -> None:
    getattr(message, name).CopyFrom(value)


def _put_text(max_length: int, message: Message, name: str, value: Any) -> None:
    _check_length(name, len(value), max_length)
    setattr(message, name, value)


def _check_length(name: str, length: int, max_length: int) -> None:
    if length > max_length:
        raise _ExceededError(name, f"{max_length} characters, the most that the contract allows")


def _extend(message: Message, name: str, elements: Iterable[Any], max_items: int) -> None:
    container = getattr(message, name)
    for element in elements:
        if element is not MISSING:
            _check_space(name, container, max_items)
            container.append(element)


def _check_space(name: str, container: Any, max_items: int) -> None:
    if len(container) >= max_items:
        raise _ExceededError(name, f"{max_items} elements, the most that are allowed")


def _put_map(message: Message, name: str, value: Any) -> None:
    for key in value:
        _set_map_entry(getattr(message, name), key, value[key])


def append_fill(target: FieldDescriptor, produce: Produce) -> Fill:
    """Append one element to a list field; errors as `reference_fill`."""
    name, max_items = target.name, max_items_of(target)

    def fill(message: Message, scope: Scope) -> None:
        value = produce(scope)
        if value is MISSING:
            return
        elements = getattr(message, name)
        _check_space(name, elements, max_items)
        try:
            elements.append(value)
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
    name, max_items = target.name, max_items_of(target)

    def fill(message: Message, scope: Scope) -> None:
        _extend(message, name, _comprehended(reference.evaluate(scope), produce, scope), max_items)

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
    name, max_length = target.name, max_length_of(target)
    return lambda message, scope: setattr(message, name, _joined(name, parts, scope, max_length))


def _joined(name: str, parts: list[str | Reference], scope: Scope, max_length: int) -> str:
    texts, length = [], 0
    for part in parts:
        texts.append(part if isinstance(part, str) else _text(part.evaluate(scope)))
        length += len(texts[-1])
        _check_length(name, length, max_length)
    return "".join(texts)


def _text(value: Any) -> str:
    return "" if value is MISSING else str(value)
