"""Find the subject, the material or the place that a word or a noun phrase names."""

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from lumenmill_studio.scenes.materials import NATURAL
from lumenmill_studio.scenes.other_words import LOCATIVES
from lumenmill_studio.scenes.phrases import NounPhrase
from lumenmill_studio.scenes.synonyms import (
    ALSO_PRESENT,
    COLOR_MATERIALS,
    MATERIAL_COLORS,
    MATERIAL_SUBSTITUTES,
    MATERIAL_SYNONYMS,
    NATURAL_COLORS,
    PLACE_COLORS,
    PLACE_SYNONYMS,
    SUBSTITUTES,
    SYNONYMS,
    all_subjects,
    plural,
)
from lumenmill_studio.scenes.unknown import UnknownWords, nearest
from lumenmill_studio.scenes.vocabulary import GLASS_MATERIALS, GLASS_SHAPES, MATERIAL_WORDS, NEUTRAL, PLACES, SUBJECTS

__all__ = [
    "Named",
    "is_place",
    "known_words",
    "material_named",
    "place_heads",
    "place_named",
    "subject_named",
    "substitute_for",
]

_CLOSE = 0.75
_PLACE_PREPOSITION = re.compile(r"\b(?:on|in|by|before|among)\b")


@dataclass(frozen=True)
class Named:
    """A subject that a word names, and whether the word is a plural. ``own`` is the name of an operator's mesh."""

    subject: str
    is_plural: bool = False
    own: str = ""


@cache
def _plurals() -> dict[str, str]:
    return {plural(word): word for word in (*SUBSTITUTES, *SYNONYMS, *all_subjects())}


@lru_cache(maxsize=8)
def known_words(own: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return all words that name a thing, a material or a place; ``own`` are names of meshes."""
    names = {*all_subjects(), *SYNONYMS, *SUBSTITUTES, *own}
    materials = {*MATERIAL_WORDS, *MATERIAL_SYNONYMS, *MATERIAL_SUBSTITUTES, *COLOR_MATERIALS}
    return frozenset(names | {plural(name) for name in names} | materials | place_heads(None) | PLACE_SYNONYMS.keys())


def subject_named(word: str, kind: str | None, number: int, own: Collection[str] = ()) -> Named | None:
    """Return what a word truly names; ``None`` if it cannot be drawn.

    ``number`` is how many there are, 0 if that is not stated: "books" is a stack of them, "two books" are two.
    """
    singular = _plurals().get(word, "")
    for name in (word, word.removesuffix("s")):
        if name in own:
            return Named(_stand_in(name, kind), name != word, name)
    candidates = [(singular, True), (word, False)] if number > 1 else [(word, False), (singular, True)]
    for name, is_plural in candidates:
        if name in all_subjects():
            return Named(name, is_plural)
        if name in SYNONYMS:
            meant = SYNONYMS[name]
            return Named(next((each for each in meant if each in SUBJECTS.get(kind or "", ())), meant[0]), is_plural)
    return None


def _stand_in(own: str, kind: str | None) -> str:
    last = own.rsplit(maxsplit=1)[-1]
    return last if last in all_subjects() else NEUTRAL.get(kind or "", "sphere")


def substitute_for(word: str, kind: str) -> str:
    """Return the nearest thing that is drawn instead of an unknown one; empty if none is near."""
    name = _plurals().get(word, word)
    if name in SUBSTITUTES:
        return SUBSTITUTES[name]
    close = difflib.get_close_matches(name, SUBJECTS[kind], 1, _CLOSE)
    return close[0] if close else ""


def material_named(words: Sequence[str], subject: str, unknown: UnknownWords, field_name: str) -> str:
    """Return the material that adjectives of a subject name; empty if they name none.

    Materials and colours that cannot be drawn are added to ``unknown``.
    """
    material, color = "", ""
    for word in words:
        if word in MATERIAL_WORDS or word in MATERIAL_SYNONYMS:
            material = word if word in MATERIAL_WORDS else MATERIAL_SYNONYMS[word]
        elif word in MATERIAL_SUBSTITUTES:
            material = MATERIAL_SUBSTITUTES[word]
            unknown.add(field_name, word, nearest(word, MATERIAL_WORDS, material), material)
        elif word in COLOR_MATERIALS:
            color = word
    if color:
        material = _colored(color, material, subject, unknown, field_name)
    if material in GLASS_MATERIALS and subject not in GLASS_SHAPES:
        problem = f"{material!r} cannot be drawn as {subject!r}; glass is for {', '.join(GLASS_SHAPES)}"
        unknown.add_problem(field_name, material, problem, "jade")
        return "jade"
    return material


def _colored(color: str, material: str, subject: str, unknown: UnknownWords, field_name: str) -> str:
    """Return the material of a colour; the colour is unknown if neither the given material nor any other has it."""
    if f"{color} {material}" in MATERIAL_WORDS:
        return f"{color} {material}"
    if material:
        is_known = color in MATERIAL_COLORS.get(material, ()) or color in material.split()
    elif color in NATURAL_COLORS.get(subject, ()):
        return NATURAL[subject]
    elif subject in NATURAL:
        is_known, material = False, NATURAL[subject]
    else:
        is_known, material = bool(COLOR_MATERIALS[color]), COLOR_MATERIALS[color]
    if not is_known:
        having = [name for name, colors in MATERIAL_COLORS.items() if color in colors]
        having += [name for name in MATERIAL_WORDS if color in name.split()]
        near = having or nearest(color, MATERIAL_WORDS)
        material = material or near[0]
        unknown.add(field_name, color, near, material)
    return material


@cache
def place_heads(kind: str | None) -> frozenset[str]:
    """Return the heads of the places of a kind of scene, or of all kinds; "table" of "on an oak table"."""
    places = PLACES[kind] if kind else [place for names in PLACES.values() for place in names]
    return frozenset(part.split()[-1] for place in places for part in _PLACE_PREPOSITION.split(place) if part.strip())


def is_place(phrase: NounPhrase, kind: str | None) -> bool:
    """Return whether a phrase names a place of a kind of scene, or of any, rather than a thing in it."""
    heads = place_heads(kind) | set(ALSO_PRESENT.get(kind or "", ()))
    if kind is None:
        is_thing = subject_named(phrase.head, None, 1) is not None
        return _stands_for(phrase.head, heads) and (phrase.preposition in LOCATIVES or not is_thing)
    return _stands_for(phrase.head, heads) and phrase.head not in SUBJECTS[kind]


def place_named(phrases: Sequence[NounPhrase], kind: str, unknown: UnknownWords, field_name: str) -> str:
    """Return the place of a kind of scene that phrases name; empty if they name only what every such place has.

    The nearest place stands for one that cannot be drawn. Heads, materials and colours that the place lacks are added
    to ``unknown``.
    """
    all_words = [part for phrase in phrases for word in phrase.words for part in word.split()]
    best = max(PLACES[kind], key=lambda place: sum(_stands_for(word, place.split()) for word in all_words))
    heads = [phrase.head for phrase in phrases]
    if not any(_stands_for(head, best.split()) for head in heads):
        foreign = [head for head in heads if not _stands_for(head, ALSO_PRESENT.get(kind, ()))]
        best = _nearest_places(foreign[0], kind)[0] if foreign else ""
    for word in (part for phrase in phrases for part in _needed(phrase)):
        if not _stands_for(word, (*best.split(), *ALSO_PRESENT.get(kind, ()))):
            unknown.add(field_name, word, _nearest_places(word, kind, best), best)
    return best


def _needed(phrase: NounPhrase) -> list[str]:
    """Return the head of a phrase, and its materials and colours that do not go without saying, in single words."""
    named = {*MATERIAL_WORDS, *MATERIAL_SYNONYMS, *MATERIAL_SUBSTITUTES, *COLOR_MATERIALS}
    natural = PLACE_COLORS.get(phrase.head, ())
    adjectives = [word for word in phrase.words[:-1] if word in named and word not in natural]
    return [*(part for word in adjectives for part in word.split()), phrase.head]


def _stands_for(word: str, names: Collection[str]) -> bool:
    return any(form in names for form in (word, word.removesuffix("s"), *PLACE_SYNONYMS.get(word, ())))


def _nearest_places(word: str, kind: str, first: str = "") -> list[str]:
    """Return the places whose heads look most like a word; ``first`` leads if it is given."""
    by_head = {place.split()[-1]: place for place in PLACES[kind]}
    near = [by_head[head] for head in nearest(word, list(by_head))]
    return list(dict.fromkeys([*([first] if first else []), *near]))
