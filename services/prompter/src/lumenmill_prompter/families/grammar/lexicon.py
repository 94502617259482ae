"""The words of the grammar and the scenes they span."""

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict

from lumenmill.common.v1 import scene_pb2
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["NATURAL", "Kind", "Lexicon", "SceneSpace", "Subject", "Thing", "lexicon", "plural", "scene_spaces"]

_KIND_NAMES = {
    "still_life": scene_pb2.SCENE_KIND_STILL_LIFE,
    "room": scene_pb2.SCENE_KIND_ROOM,
    "portrait": scene_pb2.SCENE_KIND_PORTRAIT,
    "outdoor": scene_pb2.SCENE_KIND_OUTDOOR,
}
NATURAL = "natural"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(_Frozen):
    """A thing, its possible material groups, its noun phrase, and how many may lie together."""

    materials: tuple[str, ...]
    noun_phrase: str = ""
    num: int = 1


class Kind(_Frozen):
    """The words of one kind of scene; an accent of None means that there is none.

    What is `borne` stands on what is among `bearers`.
    """

    first: tuple[str, ...]
    beside: tuple[str, ...]
    accents: tuple[str | None, ...]
    places: tuple[str, ...]
    bearers: frozenset[str] = frozenset()
    borne: frozenset[str] = frozenset()


class Lexicon(_Frozen):
    """The content of lexicon.yaml."""

    materials: dict[str, tuple[str, ...]]
    subjects: dict[str, Subject]
    kinds: dict[str, Kind]
    themes: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Thing:
    """A subject in a material, `num` of them."""

    subject: str
    material: str
    num: int


@dataclass(frozen=True)
class SceneSpace:
    """Every scene of one kind. The number of scenes is the product of the lengths."""

    kind: "scene_pb2.SceneKind.ValueType"
    groups: tuple[tuple[Thing, ...], ...]
    accents: tuple[Thing | None, ...]
    places: tuple[str, ...]
    bearers: frozenset[str] = frozenset()
    borne: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Number of different scenes."""
        return len(self.groups) * len(self.accents) * len(self.places)

    def scene(self, index: int) -> tuple[tuple[Thing, ...], str]:
        """Return the things and the place of scene `index`, 0 … size − 1."""
        index, place = divmod(index, len(self.places))
        group, accent = divmod(index, len(self.accents))
        extra = self.accents[accent]
        return (self.groups[group] if extra is None else (*self.groups[group], extra)), self.places[place]


@functools.cache
def lexicon() -> Lexicon:
    """Return the shipped lexicon."""
    text = resources.files(__package__ or __name__).joinpath("lexicon.yaml").read_text(encoding="utf-8")
    return Lexicon.model_validate(yaml.safe_load(text))


def _things(words: Lexicon, subject: str) -> list[Thing]:
    entry = words.subjects[subject]
    materials = itertools.chain.from_iterable(words.materials[group] for group in entry.materials)
    return [
        Thing(subject, material, num)
        for material in dict.fromkeys(materials)
        for num in range(1, (entry.num if material == NATURAL else 1) + 1)
    ]


@functools.lru_cache(maxsize=64)
def scene_spaces(kinds: tuple["scene_pb2.SceneKind.ValueType", ...], theme: str) -> tuple[SceneSpace, ...]:
    """Return the spaces of the requested kinds (empty: all), narrowed by a theme (empty: not narrowed).

    Raises:
        InvalidArgumentError: no scene of these kinds contains a word of the theme.
    """
    words = lexicon()
    theme_words = _theme_words(words, theme) if theme.strip() else None
    spaces = []
    for name, number in _KIND_NAMES.items():
        if kinds and number not in kinds:
            continue
        space = _space(words, name, theme_words)
        if space is not None:
            spaces.append(space)
    if not spaces:
        known = ", ".join(sorted(words.themes))
        raise InvalidArgumentError(
            "brief.theme",
            f"the grammar has no scene of the requested kinds about {theme!r}; use its themes ({known}), one of its "
            "nouns, or a model of the `openai` family",
        )
    return tuple(spaces)


def _theme_words(words: Lexicon, theme: str) -> frozenset[str]:
    """All words of the lexicon that a theme names, through singular and plural and the table of themes."""
    text = f" {re.sub(r'[^a-z]+', ' ', theme.lower())} "
    found: set[str] = set()
    vocabulary = [*words.subjects, *itertools.chain.from_iterable(words.materials.values())]
    vocabulary += [_place_noun(place) for kind in words.kinds.values() for place in kind.places]
    for word in vocabulary:
        if any(f" {form} " in text for form in (word, plural(word))):
            found.add(word)
    for word, meant in words.themes.items():
        if any(f" {form} " in text for form in (word, plural(word))):
            found.update(meant)
    return frozenset(found)


def _space(words: Lexicon, name: str, theme_words: frozenset[str] | None) -> SceneSpace | None:
    kind = words.kinds[name]
    firsts = list(itertools.chain.from_iterable(_things(words, subject) for subject in kind.first))
    besides = list(itertools.chain.from_iterable(_things(words, subject) for subject in kind.beside))
    pairs = [(a, b) for a in firsts for b in besides if a.subject != b.subject]
    groups: list[tuple[Thing, ...]] = [*pairs] or [(a,) for a in firsts]
    accents = tuple(None if accent is None else _things(words, accent)[0] for accent in kind.accents)
    places: Sequence[str] = kind.places
    if theme_words is not None:
        themed = [place for place in places if _place_noun(place) in theme_words]
        matching = [
            group for group in groups if any(t.subject in theme_words or t.material in theme_words for t in group)
        ]
        if not themed and not matching:
            return None
        places, groups = themed or places, matching or groups
    used = {thing.subject for group in groups for thing in group}
    accents = tuple(accent for accent in accents if accent is None or accent.subject not in used)
    return SceneSpace(_KIND_NAMES[name], tuple(groups), accents, tuple(places), kind.bearers, kind.borne)


def _place_noun(place: str) -> str:
    return re.sub(r"^(on|in|before|among)( an?)? ", "", place)


def plural(noun: str) -> str:
    """Return the English plural of a noun of the lexicon."""
    if " of " in noun:
        head, rest = noun.split(" of ", 1)
        return f"{plural(head)} of {rest}"
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"
