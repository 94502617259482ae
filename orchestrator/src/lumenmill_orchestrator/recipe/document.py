"""Values of a recipe with their positions, and the problems that name them."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.recipe.limits import LONGEST_PATH, MAX_PROBLEMS
from lumenmill_orchestrator.recipe.work_limit import WorkLimit

__all__ = ["WRONG", "Located", "Problems", "TooManyProblemsError", "did_you_mean", "shown"]

WRONG: Final = object()
"""The value of a constant that has none because of a problem already reported."""
# Messages quote names and values of the caller.
_LONGEST_SHOWN, _LONGEST_MESSAGE = 80, 600


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


class TooManyProblemsError(Exception):
    """A recipe has more problems than are reported."""


@dataclass
class Problems:
    """Collects the problems of one recipe. What adds problems also ends with the time that the recipe may take."""

    file: str
    limit: WorkLimit = field(default_factory=WorkLimit)
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
        """Add a problem at a position.

        Raises:
            TooManyProblemsError: there are as many as are reported.
            CancelledError, DeadlineExceededError: of the limit.
        """
        self.limit.check()
        problem = run_pb2.RecipeProblem(
            file=self.file,
            line=line,
            column=column,
            path=path[:LONGEST_PATH],
            message=message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…",
        )
        self.num_added += 1
        if problem in self.found:
            return
        if len(self.found) >= MAX_PROBLEMS:
            raise TooManyProblemsError
        self.found.append(problem)

    def add_consequence(self) -> None:
        """Add a problem that follows from one that was reported already."""
        self.num_added += 1

    def unknown_keys(self, mapping: Located, allowed: Iterable[str]) -> None:
        """Add a problem for every key of a mapping that is not allowed."""
        names = tuple(allowed)
        for key, child in mapping.items():
            if key not in names:
                self.add(child, f"unknown key `{shown(key)}`{did_you_mean(key, names)}")


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return a hint to append to a message: the nearest choice, or else the first 24 choices."""
    names = sorted(choices)
    near = difflib.get_close_matches(shown(word), names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean `{near[0]}`?"
    if not names:
        return "; there are none"
    named = ", ".join(f"`{name}`" for name in names[:24])
    return f"; the choices are {named}" + (", …" if len(names) > 24 else "")


def shown(value: object) -> str:
    """Return a value of a recipe for a message; the beginning of a long one."""
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
