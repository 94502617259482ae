"""Reads the YAML of a recipe event by event: every limit is checked before what breaks it is built."""

import io
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.nodes import ScalarNode

from lumenmill_orchestrator.recipe.document import Located, Problems
from lumenmill_orchestrator.recipe.limits import (
    LONGEST_KEY,
    LONGEST_NUMBER,
    LONGEST_PATH,
    LONGEST_SCALAR,
    MAX_ALIASES,
    MAX_DEPTH,
    MAX_EVENTS,
    MAX_RECIPE_BYTES,
    MAX_VALUES,
)
from lumenmill_orchestrator.recipe.work_limit import WorkLimit

__all__ = ["read_document"]

_TAG = "tag:yaml.org,2002:"
_STRING = f"{_TAG}str"
# What YAML resolves besides, such as times, is text in a recipe.
_CONSTRUCTED = frozenset(f"{_TAG}{name}" for name in ("int", "float", "bool", "null"))
_COLLECTIONS = frozenset({None, "!", f"{_TAG}map", f"{_TAG}seq"})
_MERGE_KEY = "<<"
_LIKE_A_NUMBER = re.compile(r"[-+]?\.?\d[\w.+-]*")
_UNENCODABLE = re.compile("[\\0\\ud800-\\udfff]")
_CHECK_EVERY = 256


def read_document(text: str, problems: Problems) -> Located | None:
    """Parse YAML text. Adds a problem and returns None when it is not YAML or larger than a recipe may be.

    Raises:
        CancelledError, DeadlineExceededError: of the limit of `problems`.
    """
    try:
        num_bytes = len(text.encode())
    except UnicodeEncodeError:
        problems.add_at(0, 0, "", "holds half of a surrogate pair")
        return None
    if num_bytes > MAX_RECIPE_BYTES:
        problems.add_at(0, 0, "", f"has {num_bytes} bytes; at most {MAX_RECIPE_BYTES} are allowed")
        return None
    try:
        return _Reader(text, problems.limit).document()
    except _DocumentError as error:
        problems.add_at(error.line, error.column, error.path, str(error))
    except MarkedYAMLError as error:
        line, column = _position(error.problem_mark)
        problems.add_at(line, column, "", f"not valid YAML: {error.problem or error.context}".strip())
    return None


class _DocumentError(Exception):
    """The document is not what a recipe can be."""

    def __init__(self, where: Located, problem: str) -> None:
        super().__init__(problem)
        self.line, self.column, self.path = where.line, where.column, where.path


class _Reader:
    """Reads one document. Values have the position of their key, elements of lists their own."""

    def __init__(self, text: str, limit: WorkLimit) -> None:
        yaml = YAML(typ="safe", pure=True)
        self._events: Iterator[Event] = yaml.parse(io.StringIO(text))
        self._constructor, self._resolver, self._limit = yaml.constructor, yaml.resolver, limit
        self._num_events = self._num_aliases = self._num_values = 0
        self._anchors: dict[str, Located] = {}

    def document(self) -> Located:
        """Return the one document of the stream; that of an empty stream is None."""
        whole = Located(None, 1, 1, "")
        while isinstance(event := self._next(whole), StreamStartEvent | DocumentStartEvent):
            pass
        if isinstance(event, StreamEndEvent):
            return whole
        root = self._value(event, whole, 0)
        while isinstance(event := self._next(whole), DocumentEndEvent):
            pass
        if not isinstance(event, StreamEndEvent):
            raise _DocumentError(_at(event, whole), "not valid YAML: a recipe is one document, and another begins here")
        return root

    def _next(self, place: Located) -> Event:
        self._num_events += 1
        if self._num_events > MAX_EVENTS:
            raise _DocumentError(place, f"has more than {MAX_EVENTS} events of YAML; split the recipe")
        if self._num_events % _CHECK_EVERY == 0:
            self._limit.check()
        try:
            return next(self._events)
        except MarkedYAMLError:
            raise
        except Exception as error:  # of characters that YAML does not allow, and anything for unknown directives
            raise _DocumentError(place, f"not valid YAML: {error}") from None

    def _value(self, event: Event, place: Located, depth: int) -> Located:
        """Return the value that an event begins, at a place whose own value is not used."""
        if isinstance(event, AliasEvent):
            return self._aliased(event, place, depth)
        self._count(place, depth)
        if isinstance(event, ScalarEvent):
            value: Any = self._scalar(event, place)
        elif isinstance(event, MappingStartEvent):
            _check_collection(event, place)
            value = self._mapping(place, depth)
        elif isinstance(event, SequenceStartEvent):
            _check_collection(event, place)
            value = self._sequence(place, depth)
        else:
            raise TypeError(f"{event} begins no value")
        found = Located(value, place.line, place.column, place.path)
        # Only now: an alias inside of the value that it names has no value yet.
        if isinstance(event, NodeEvent) and event.anchor is not None:
            self._anchors[event.anchor] = found
        return found

    def _count(self, place: Located, depth: int) -> None:
        self._num_values += 1
        if self._num_values > MAX_VALUES:
            raise _DocumentError(
                place, f"has more than {MAX_VALUES} values (aliases counted each time); split the recipe"
            )
        if depth > MAX_DEPTH:
            raise _DocumentError(place, f"nested deeper than {MAX_DEPTH} levels")

    def _mapping(self, place: Located, depth: int) -> dict[str, Located]:
        own: dict[str, Located] = {}
        merged: dict[str, Located] = {}
        while not isinstance(event := self._next(place), MappingEndEvent):
            key = self._key(event, place)
            name = str(key.value)
            if name in own:
                raise _DocumentError(key, f"not valid YAML: duplicate key `{name}`")
            value = self._value(self._next(key), key, depth + 1)
            if name == _MERGE_KEY and isinstance(event, ScalarEvent) and not event.style:
                merged = {**self._merged(value, place, depth), **merged}
            else:
                own[name] = value
        return {**merged, **own}

    def _key(self, event: Event, place: Located) -> Located:
        where = _at(event, place)
        if not isinstance(event, ScalarEvent):
            raise _DocumentError(where, "the key of a mapping must be text")
        name = str(event.value)
        if len(name) > LONGEST_KEY:
            raise _DocumentError(where, f"a key has {len(name)} characters; at most {LONGEST_KEY} are allowed")
        _check_encodable(name, where)
        return Located(name, where.line, where.column, _child_path(place.path, name))

    def _merged(self, value: Located, place: Located, depth: int) -> dict[str, Located]:
        """Return the entries of `<<: *mapping`, or of a list of mappings, whose first has precedence."""
        found: dict[str, Located] = {}
        for each in value.value if value.is_sequence else [value]:
            if not each.is_mapping:
                raise _DocumentError(value, "`<<` needs a mapping, or a list of mappings")
            for name, entry in each.items():
                if name not in found:
                    path = _child_path(place.path, name)
                    found[name] = self._copied(entry, entry.line, entry.column, path, depth + 1)
        return found

    def _sequence(self, place: Located, depth: int) -> list[Located]:
        elements: list[Located] = []
        while not isinstance(event := self._next(place), SequenceEndEvent):
            where = _at(event, place)
            element = Located(None, where.line, where.column, _element_path(place.path, len(elements)))
            elements.append(self._value(event, element, depth + 1))
        return elements

    def _scalar(self, event: ScalarEvent, place: Located) -> Any:
        text = event.value
        if len(text) > LONGEST_SCALAR:
            raise _DocumentError(place, f"has {len(text)} characters; at most {LONGEST_SCALAR} are allowed")
        tag = self._tag(event, place)
        if tag not in _CONSTRUCTED:
            _check_encodable(text, place)
            return str(text)
        try:
            return self._constructor.construct_object(ScalarNode(tag, text, event.start_mark, event.end_mark))
        except (ValueError, KeyError, IndexError):  # an explicit tag of another type
            raise _DocumentError(place, f"not valid YAML: {text!r} is not of the type `{event.tag}`") from None

    def _tag(self, event: ScalarEvent, place: Located) -> str:
        if event.tag is not None:
            if event.tag not in _CONSTRUCTED and event.tag not in (_STRING, "!"):
                raise _DocumentError(place, f"the tag `{event.tag}` is not supported; recipes are plain YAML")
            tag = str(event.tag)
        elif not event.implicit[0]:
            return _STRING
        elif len(event.value) > LONGEST_NUMBER:
            tag = f"{_TAG}int" if _LIKE_A_NUMBER.fullmatch(event.value) else _STRING
        else:
            tag = self._implicit_tag(event, place)
        if tag in _CONSTRUCTED and len(event.value) > LONGEST_NUMBER:
            raise _DocumentError(
                place, f"a number of {len(event.value)} characters; at most {LONGEST_NUMBER} are allowed"
            )
        return tag

    def _implicit_tag(self, event: ScalarEvent, place: Located) -> str:
        try:
            return str(self._resolver.resolve(ScalarNode, event.value, event.implicit))
        except KeyError as error:
            raise _DocumentError(place, f"not valid YAML: its version {error} is not supported") from None

    def _aliased(self, event: AliasEvent, place: Located, depth: int) -> Located:
        self._num_aliases += 1
        if self._num_aliases > MAX_ALIASES:
            raise _DocumentError(place, f"has more than {MAX_ALIASES} aliases; split the recipe")
        found = self._anchors.get(event.anchor)
        if found is None:
            raise _DocumentError(place, f"not valid YAML: no value before this one has the anchor `&{event.anchor}`")
        return self._copied(found, place.line, place.column, place.path, depth)

    def _copied(self, value: Located, line: int, column: int, path: str, depth: int) -> Located:
        """Return a value with its path here; its parts keep the positions where they are written."""
        self._count(Located(None, line, column, path), depth)
        if self._num_values % _CHECK_EVERY == 0:
            self._limit.check()
        copied: Any = value.value
        if value.is_mapping:
            copied = {
                name: self._copied(part, part.line, part.column, _child_path(path, name), depth + 1)
                for name, part in value.items()
            }
        elif value.is_sequence:
            copied = [
                self._copied(part, part.line, part.column, _element_path(path, index), depth + 1)
                for index, part in enumerate(value.value)
            ]
        return Located(copied, line, column, path)


def _check_collection(event: CollectionStartEvent, place: Located) -> None:
    if event.tag not in _COLLECTIONS:
        raise _DocumentError(place, f"the tag `{event.tag}` is not supported; recipes are plain YAML")


def _check_encodable(text: str, place: Located) -> None:
    """Refuse text that neither UTF-8 nor a database can hold; escapes of YAML can produce it."""
    if _UNENCODABLE.search(text):
        raise _DocumentError(place, "holds the character NUL, or half of a surrogate pair")


def _child_path(path: str, name: str) -> str:
    return (f"{path}.{name}" if path else name)[:LONGEST_PATH]


def _element_path(path: str, index: int) -> str:
    return f"{path}[{index}]"[:LONGEST_PATH]


def _at(event: Event, place: Located) -> Located:
    line, column = _position(event.start_mark)
    return Located(None, line, column, place.path)


def _position(mark: StringMark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)
