"""References: `${image.images[0].scene}`, `${each.light}`, `${maps[*].data}`. They are paths, never code.

Grammar:  reference = name { "." name | "[" index "]" } ;  index = "*" | integer | path without brackets
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from lumenmill_orchestrator.recipe.document import did_you_mean
from lumenmill_orchestrator.recipe.types import TypeKind, ValueType, field_type, with_article

__all__ = ["MISSING", "Reference", "ReferenceProblem", "Requirement", "Scope", "parse_reference", "whole_reference"]

_WHOLE: Final = re.compile(r"^\$\{([^{}]*)\}$")
_ROOT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SEGMENT: Final = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[\s*(\*|\d+|[A-Za-z_][A-Za-z0-9_.]*)\s*\]")

Scope = Mapping[str, Any]
"""Values by root name, in which references are looked up."""


class _Missing:
    """The value of a reference to something absent."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()


class ReferenceProblem(Exception):  # noqa: N818 (a finding for the recipe's author, not a failure of the program)
    """A reference is wrong; the message says why."""


@dataclass(frozen=True)
class Requirement:
    """A step that a reference reads: one instance of it, the instance with the same index, or all."""

    step: str
    instance: int | None = None
    same_index: bool = False


@dataclass(frozen=True)
class _Segment:
    name: str = ""
    index: int | None = None
    index_path: tuple[str, ...] = ()
    every: bool = False


@dataclass(frozen=True)
class Reference:
    """A parsed path with its static type."""

    text: str
    root: str
    segments: tuple[_Segment, ...]
    type: ValueType

    def evaluate(self, scope: Scope) -> Any:
        """Return the value in a scope: a scalar, message, sequence, mapping, or MISSING."""
        return _resolve(scope.get(self.root, MISSING), self.segments, scope)

    def roots(self) -> Iterator[str]:
        """Yield the root names that it looks up."""
        yield self.root
        for segment in self.segments:
            if segment.index_path:
                yield segment.index_path[0]

    def requirement(self) -> Requirement:
        """Return the instances of the root step that it reads; the root must be a step."""
        first = self.segments[0] if self.segments else None
        if first is not None and first.index_path == ("each_index",):
            return Requirement(self.root, same_index=True)
        if first is not None and first.index is not None:
            return Requirement(self.root, instance=first.index)
        return Requirement(self.root)


def whole_reference(text: Any) -> str | None:
    """Return the path when a text is exactly one reference; None otherwise."""
    match = _WHOLE.match(text.strip()) if isinstance(text, str) else None
    return match.group(1).strip() if match else None


def parse_reference(path: str, types: Mapping[str, ValueType]) -> Reference:
    """Parse a path and determine its static type.

    Raises:
        ReferenceProblem: it is not a path, or names something that does not exist.
    """
    match = _ROOT.match(path)
    if match is None:
        raise ReferenceProblem(f"`${{{path}}}` is not a path; write for example `${{item.light}}`")
    root, position = match.group(), match.end()
    if root not in types:
        raise ReferenceProblem(f"`${{{path}}}`: unknown name `{root}`{did_you_mean(root, types)}")
    segments: list[_Segment] = []
    current = types[root]
    spread = False
    while position < len(path):
        match = _SEGMENT.match(path, position)
        if match is None:
            raise ReferenceProblem(
                f"`${{{path}}}` is not a path at `{path[position:]}`; made of `.field`, `[0]`, `[each_index]`, `[*]`"
            )
        segment = _segment(match, types, path)
        current, spread = _typed(current, segment, spread, path)
        segments.append(segment)
        position = match.end()
    if spread:
        current = current if current.is_list else current.listed()
    return Reference(path, root, tuple(segments), current)


def _segment(match: re.Match[str], types: Mapping[str, ValueType], path: str) -> _Segment:
    name, index = match.groups()
    if name:
        return _Segment(name=name)
    if index == "*":
        return _Segment(every=True)
    if index.isdigit():
        return _Segment(index=int(index))
    parsed = parse_reference(index, types)
    if parsed.type.is_list or parsed.type.kind not in (TypeKind.INT, TypeKind.STRING):
        raise ReferenceProblem(f"`${{{path}}}`: `[{index}]` is {with_article(parsed.type)}, not an index or key")
    return _Segment(index_path=tuple(index.split(".")))


def _typed(current: ValueType, segment: _Segment, spread: bool, path: str) -> tuple[ValueType, bool]:
    if segment.name:
        return _typed_member(current, segment.name, path), spread
    if current.kind is TypeKind.RECORD and segment.index_path and current.members:
        return next(iter(current.members.values())), spread
    if current.is_map and segment.index_path:
        return current.element(), spread
    if not current.is_list:
        raise ReferenceProblem(f"`${{{path}}}`: a {current} has no elements; drop the `[…]`")
    return current.element(), spread or segment.every


def _typed_member(current: ValueType, name: str, path: str) -> ValueType:
    if current.is_list:
        raise ReferenceProblem(
            f"`${{{path}}}`: `.{name}` of a {current}; choose an element with `[0]` or all with `[*]`"
        )
    if current.is_map:
        return current.element()
    if current.kind is TypeKind.RECORD and current.members is not None:
        if name not in current.members:
            raise ReferenceProblem(f"`${{{path}}}`: there is no `{name}`{did_you_mean(name, current.members)}")
        return current.members[name]
    if current.message is None:
        raise ReferenceProblem(f"`${{{path}}}`: a {current} has no field `{name}`")
    field = current.message.fields_by_name.get(name)
    if field is None:
        known = current.message.fields_by_name
        raise ReferenceProblem(f"`${{{path}}}`: {current} has no field `{name}`{did_you_mean(name, known)}")
    return field_type(field)


def _resolve(value: Any, segments: Sequence[_Segment], scope: Scope) -> Any:
    for position, segment in enumerate(segments):
        if value is MISSING:
            return MISSING
        if segment.every:
            return list(_flat(_resolve(element, segments[position + 1 :], scope) for element in value))
        value = _member(value, segment.name) if segment.name else _element(value, segment, scope)
    return value


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if value is MISSING:
            continue
        if isinstance(value, Message | str | bytes | int | float):
            yield value
        else:
            yield from value


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, Message):
        # Not get(): looking up an absent key in a map of messages would insert it.
        return value[name] if name in value else MISSING  # noqa: SIM401 - see above
    field = value.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not value.HasField(name):
        return MISSING
    return getattr(value, name)


def _element(value: Any, segment: _Segment, scope: Scope) -> Any:
    index = segment.index if segment.index is not None else _resolve_names(scope, segment.index_path)
    if isinstance(value, Mapping):
        return value.get(index, MISSING)
    return value[index] if isinstance(index, int) and 0 <= index < len(value) else MISSING


def _resolve_names(scope: Scope, names: tuple[str, ...]) -> Any:
    value: Any = scope
    for name in names:
        value = _member(value, name)
        if value is MISSING:
            return MISSING
    return value
