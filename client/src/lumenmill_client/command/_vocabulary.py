"""Look words up in the vocabulary of a model."""

import difflib
from dataclasses import asdict, dataclass
from typing import Any

from lumenmill.common.v1.scene_pb2 import SceneKind, SceneVocabulary

__all__ = ["FoundWord", "find_word", "kind_name"]

_NUM_NEAREST = 5


@dataclass(frozen=True)
class FoundWord:
    """What a word is in a vocabulary.

    Attributes:
        word: as it was looked up.
        meaning: the word of the vocabulary that it means, itself or by synonym; empty if it cannot be drawn.
        kinds: kinds of scene that have it as a subject.
        is_material: whether it is a material.
        places: places that it names, whole or in part.
        nearest: words that look most like it, for one that cannot be drawn.
    """

    word: str
    meaning: str = ""
    kinds: tuple[str, ...] = ()
    is_material: bool = False
    places: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()

    @property
    def can_be_drawn(self) -> bool:
        """Return whether the word names something."""
        return bool(self.meaning)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return {**asdict(self), "can_be_drawn": self.can_be_drawn}


def kind_name(kind: "SceneKind.ValueType") -> str:
    """Return a kind of scene in words: "still life"."""
    return SceneKind.Name(kind).removeprefix("SCENE_KIND_").replace("_", " ").lower()


def find_word(known: SceneVocabulary, word: str) -> FoundWord:
    """Return what a word or a plural is in a vocabulary."""
    plain = " ".join(word.lower().split())
    for form in (plain, plain.removesuffix("s"), plain.removesuffix("es")):
        found = _exact(known, word, known.synonyms.get(form, form))
        if found.can_be_drawn:
            return found
    pool = [*known.materials, *known.synonyms]
    pool += [name for entry in known.kinds for name in (*entry.subjects, *entry.places)]
    return FoundWord(word, nearest=tuple(difflib.get_close_matches(plain, dict.fromkeys(pool), _NUM_NEAREST, 0.0)))


def _exact(known: SceneVocabulary, word: str, meaning: str) -> FoundWord:
    kinds = tuple(kind_name(entry.kind) for entry in known.kinds if meaning in entry.subjects)
    is_material = meaning in known.materials or meaning == "natural"
    places = tuple(place for entry in known.kinds for place in entry.places if f" {meaning} " in f" {place} ")
    return FoundWord(word, meaning if kinds or is_material or places else "", kinds, is_material, places)
