"""YAML with positions: every value has its line, column and path, so that every problem can name them."""

import difflib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from lumenmill.orchestrator.v1 import run_pb2

__all__ = ["WRONG", "Located", "Problems", "did_you_mean", "read_document"]

WRONG: Final = object()
"""The value of a constant that has none because of a problem already reported."""
_MAX_VALUES = 50_000
_MAX_DEPTH = 64


@dataclass(frozen=True)
class Located:
    """One value of a recipe: a scalar, a list of Located, or a dict of Located."""

    value: Any
    line: int
    column: int
    path: str

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.value, dict)

    @property
    def is_sequence(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.value, list)

    def items(self) -> Iterable[tuple[str, "Located"]]:
        """Entries of a mapping; nothing for other values."""
        return self.value.items() if self.is_mapping else ()

    def get(self, key: str) -> "Located | None":
        """Return the value of one key of a mapping, or None."""
        return self.value.get(key) if self.is_mapping else None

    def plain(self) -> Any:
        """Return the value without positions."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


@dataclass
class Problems:
    """Collects all problems of one recipe."""

    file: str
    found: list[run_pb2.RecipeProblem] = field(default_factory=list)
    unresolved: set[str] = field(default_factory=set)
    """Parameters without a valid value because of a problem already reported; nothing that depends on their values is
    reported."""
    num_added: int = 0
    """Problems that were added, with those that were reported before or follow from one."""

    def add(self, where: Located, message: str) -> None:
        """Add a problem at the position of a value."""
        self.add_at(where.line, where.column, where.path, message)

    def add_at(self, line: int, column: int, path: str, message: str) -> None:
        """Add a problem at a position."""
        problem = run_pb2.RecipeProblem(file=self.file, line=line, column=column, path=path, message=message)
        self.num_added += 1
        if problem not in self.found:
            self.found.append(problem)

    def add_consequence(self) -> None:
        """Add a problem that follows from one that was reported already."""
        self.num_added += 1

    def unknown_keys(self, mapping: Located, allowed: Iterable[str]) -> None:
        """Add a problem for every key of a mapping that is not allowed."""
        names = tuple(allowed)
        for key, child in mapping.items():
            if key not in names:
                self.add(child, f"unknown key `{key}`{did_you_mean(key, names)}")


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return a hint to append to a message: the nearest choice, or else the first 24 choices."""
    names = sorted(choices)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean `{near[0]}`?"
    if not names:
        return "; there are none"
    shown = ", ".join(f"`{name}`" for name in names[:24])
    return f"; the choices are {shown}" + (", …" if len(names) > 24 else "")


def read_document(text: str, problems: Problems) -> Located | None:
    """Parse YAML text. Adds a problem and returns None when it is not YAML or too large."""
    try:
        loaded = YAML(typ="rt").load(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problems.add_at(line, column, "", f"not valid YAML: {error.problem or error.context}".strip())
        return None
    except RecursionError:
        problems.add_at(0, 0, "", f"nested deeper than {_MAX_DEPTH} levels")
        return None
    except Exception as error:  # the reader raises anything for circular anchors and merges
        problems.add_at(0, 0, "", f"not valid YAML: {error}")
        return None
    try:
        return _Locator().locate(loaded, 1, 1, "", 0)
    except _TooLargeError as error:
        problems.add_at(0, 0, "", str(error))
        return None
    except _UnencodableTextError as error:
        problems.add_at(error.line, error.column, "", "holds the character NUL, or half of a surrogate pair")
        return None


class _TooLargeError(Exception):
    """The document expands to more than a recipe can be."""


class _UnencodableTextError(Exception):
    """A string that neither UTF-8 nor a database can hold; YAML escapes can produce it."""

    def __init__(self, line: int, column: int) -> None:
        super().__init__()
        self.line, self.column = line, column


class _Locator:
    def __init__(self) -> None:
        self._num_values = 0

    def locate(self, value: Any, line: int, column: int, path: str, depth: int) -> Located:
        self._num_values += 1
        if self._num_values > _MAX_VALUES:
            raise _TooLargeError(f"more than {_MAX_VALUES} values (aliases counted each time); split the recipe")
        if depth > _MAX_DEPTH:
            raise _TooLargeError(f"nested deeper than {_MAX_DEPTH} levels")
        if isinstance(value, CommentedMap):
            return Located(dict(self._children(value, path, depth)), line, column, path)
        if isinstance(value, CommentedSeq):
            return Located(self._elements(value, path, depth), line, column, path)
        return Located(_encodable(_plain_scalar(value), line, column), line, column, path)

    def _children(self, mapping: CommentedMap, path: str, depth: int) -> Iterator[tuple[str, Located]]:
        for key, value in mapping.items():
            line, column = _position(mapping.lc.data.get(key) if mapping.lc.data else None)
            name = _encodable(str(key), line, column)
            yield name, self.locate(value, line, column, f"{path}.{name}" if path else name, depth + 1)

    def _elements(self, sequence: CommentedSeq, path: str, depth: int) -> list[Located]:
        elements = []
        for index, value in enumerate(sequence):
            line, column = _position(sequence.lc.data.get(index) if sequence.lc.data else None)
            elements.append(self.locate(value, line, column, f"{path}[{index}]", depth + 1))
        return elements


def _position(marks: list[int] | None) -> tuple[int, int]:
    return (marks[0] + 1, marks[1] + 1) if marks else (0, 0)


def _encodable(value: Any, line: int, column: int) -> Any:
    if isinstance(value, str) and ("\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)):
        raise _UnencodableTextError(line, column)
    return value


def _plain_scalar(value: Any) -> Any:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
