"""Collect the words of a request that cannot be drawn: refuse them, or record what is drawn instead."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from lumenmill_common.errors import InvalidArgumentError

__all__ = ["UnknownWord", "UnknownWords", "nearest"]

_NUM_NEAREST = 3
# Recipes take the value as a parameter, and commands that make one call as an option.
_REMEDY = (
    "or set unknown_words to SUBSTITUTE (--set unknown_words=SUBSTITUTE of `lumenmill run`, if the recipe has this "
    "parameter; --substitute of `render` and `clip`)"
)


@dataclass(frozen=True)
class UnknownWord:
    """A word of a field that cannot be drawn, the problem, and what is drawn in its stead; empty means nothing."""

    field: str
    word: str
    problem: str
    built: str


@dataclass
class UnknownWords:
    """The unknown words of one request, in the order in which they were read."""

    found: list[UnknownWord] = field(default_factory=list)

    def add(self, field_name: str, word: str, near: Iterable[str], built: str) -> None:
        """Add a word that cannot be drawn, with the nearest words that can."""
        self.add_problem(field_name, word, f"{word!r} cannot be drawn; nearest: {', '.join(near)}", built)

    def add_problem(self, field_name: str, word: str, problem: str, built: str) -> None:
        """Add a word with another problem."""
        unknown = UnknownWord(field_name, word, problem, built)
        if unknown not in self.found:
            self.found.append(unknown)

    def use_instead(self, built: str) -> None:
        """Record what is drawn for the first word for which there was nothing."""
        index = next((index for index, unknown in enumerate(self.found) if not unknown.built), None)
        if index is not None:
            self.found[index] = replace(self.found[index], built=built)

    def refuse(self) -> None:
        """Refuse the request if there are any.

        Raises:
            InvalidArgumentError: names the field of each word, and the nearest words that can be drawn.
        """
        if self.found:
            violations = [(unknown.field, unknown.problem) for unknown in self.found]
            name, problem = violations[-1]
            violations[-1] = name, f"{problem}; {_REMEDY}"
            raise InvalidArgumentError(*violations[0], *violations[1:])

    @property
    def substitutions(self) -> tuple[tuple[str, str], ...]:
        """Return each word and what is drawn instead."""
        return tuple((unknown.word, unknown.built) for unknown in self.found)


def nearest(word: str, known: Sequence[str], first: str = "") -> list[str]:
    """Return the words of a vocabulary that look most like a word; ``first`` leads if it is given."""
    close = difflib.get_close_matches(word, known, _NUM_NEAREST, 0.0)
    return list(dict.fromkeys([*([first] if first else []), *close]))[:_NUM_NEAREST]
