"""Reads English about light back into numbers: what each light is said to be, and how it is said to move.

It reads what captions, prompts and instructions of this project can write, and ordinary wordings: "golden hour",
"backlit", "soft window light from the right". Words that state nothing about light are passed over.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lumenmill_light.reading_features import (
    NOUN,
    POSITION,
    brightness_of,
    colors_of,
    contrasts_of,
    direction_of,
    hardness_of,
    meaning_of,
    position_of,
)
from lumenmill_light.reading_nouns import NOUNS, Meaning
from lumenmill_light.reading_words import Arc, Range

__all__ = ["Arc", "LightClaim", "LightClaims", "MoveClaim", "Range", "read_light"]


# As long as Light.text may be.
_MAX_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class LightClaim:
    """One light that a text describes. A field holds what may be meant, any of it; empty means that nothing is stated.

    Attributes:
        words: the part of the text.
        source: sun, sky, moon, window, lamp, candle, surroundings or background; "light" where no more is stated.
        role: key, fill, rim, or other for a light that is called weaker, second or added.
        azimuths_deg: arcs relative to the camera.
        temperatures_k, hues: of "blue" and "orange" both, of which one is meant; hues are those of `hue_word`.
        is_even: whether it is said to come from nowhere in particular.
        is_denied: whether the text says that there is no such light.
        than_first: "warmer" or "cooler" for a light that is called so beside the first; else empty.
    """

    words: str
    source: str = "light"
    role: str = ""
    azimuths_deg: tuple[Arc, ...] = ()
    elevations_deg: tuple[Range, ...] = ()
    hardness: tuple[Range, ...] = ()
    temperatures_k: tuple[Range, ...] = ()
    hues: tuple[str, ...] = ()
    intensities_ev: tuple[Range, ...] = ()
    contrasts_ev: tuple[Range, ...] = ()
    is_even: bool = False
    is_denied: bool = False
    than_first: str = ""

    @property
    def states_something(self) -> bool:
        """Whether any attribute is stated."""
        return any(getattr(self, name) for name in _STATED)


@dataclass(frozen=True, slots=True)
class MoveClaim:
    """A light that is said to move from one position to another; an empty field is not stated."""

    from_azimuths_deg: tuple[Arc, ...]
    to_azimuths_deg: tuple[Arc, ...]
    from_elevations_deg: tuple[Range, ...] = ()
    to_elevations_deg: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class LightClaims:
    """What a text states about light.

    Attributes:
        lights: in the order of the text, the main one first.
        end_lights: of clips, lights at the end: "by the end the light is amber".
        moves: of clips and instructions.
        num_lights: the number of lights, where the text gives it: "a single lamp", "two lights"; else None.
    """

    lights: tuple[LightClaim, ...] = ()
    end_lights: tuple[LightClaim, ...] = ()
    moves: tuple[MoveClaim, ...] = ()
    num_lights: int | None = None


_STATED = (
    "azimuths_deg", "elevations_deg", "hardness", "temperatures_k", "hues", "intensities_ev", "contrasts_ev", "is_even",
)  # fmt: skip
_MOVE = re.compile(rf"\bfrom ({POSITION})(?:round |over )?to ({POSITION})")
_CONNECTOR = re.compile(
    r"(?:,\s*)?\b(?:and|plus|with|while|but|besides?|against|alongside|opposite|meets?)\b"
    r"|[,:]\s*(?=(?:an?|the|another|one|two|(?:[\w-]+ )?(?:key|fill|rim))\b|[^,]*\b(?:has been added|is gone)\b)"
)
_PREPOSITION = re.compile(r"\b(?:of|from|through|by|under|in|on|across|coming|like|at|is|are|comes|that|which)\b")
_COUNT = re.compile(
    r"\b(single|only|sole|one|two|three|four)\b(?! (?:stops?|and)\b)"
    r"(?= (?:[\w-]+ ){0,3}(?:lights?|lamps?|sources?|softbox(?:es)?|spotlights?)\b)"
)
_COUNTS = {"single": 1, "only": 1, "sole": 1, "one": 1, "two": 2, "three": 3, "four": 4}
_AT_END = re.compile(r"^(?:by|at|towards) (?:the|its) end\b|\bby (?:the|its) end\b")
# What is said of a moving camera's view is no claim about where light comes from.
_AS_SEEN = re.compile(r"^seen from the")
_OTHER = re.compile(r"\b(?:weaker|second|another|has been added|besides?)\b")
_THAN_FIRST = re.compile(r"\b(warmer|cooler)(?= (?:(?:rim|fill|second|weaker|ambient) )?(?:light|daylight|sunlight)\b)")
_GONE = re.compile(r"\b(?:is|are|has|have) gone\b")
_CONTINUES = re.compile(r"^(?:it|its|the shadows|shadows|the(?: main| key)? light|this light|the colou?r)\b")
_NO_LIGHT = re.compile(
    r"(?:there (?:is|are) |, ?|and )?(?:no|without)\b(?! (?:hard|soft|deep|clear|visible|a? ?sun|single|dominant)\b)"
)


def read_light(text: str) -> LightClaims:
    """Return what the first 2,000 characters of a text state about light; no lights where they state nothing."""
    lights: list[LightClaim] = []
    end_lights: list[LightClaim] = []
    moves: list[MoveClaim] = []
    plain = _plain(text[:_MAX_CHARACTERS])
    count = _COUNT.search(plain)
    for sentence in re.split(r"(?<=[.!?;])\s+|:\s+", plain):
        if _AS_SEEN.search(sentence):
            continue
        moves += [_move(match) for match in _MOVE.finditer(sentence)]
        still = _MOVE.sub(" , ", sentence)
        at_end = _AT_END.search(still)
        if at_end:
            _read_sentence(still[at_end.end() :].lstrip(" ,"), end_lights)
            still = still[: at_end.start()]
        _read_sentence(still, lights)
    return LightClaims(tuple(lights), tuple(end_lights), tuple(moves), _COUNTS[count[1]] if count else None)


def _plain(text: str) -> str:
    """Return a text in small letters, with what has several spellings in one: "the top left" is high from the left.

    A sky that things stand under is left out: it says where they are.
    """
    plain = text.lower().replace("’", "'").replace("‑", "-").replace("it's", "it is")
    plain = re.sub(r",? (?:under|beneath) (?:an?|the) (?:(?:clear|open|blue|hazy|night|starry|wide) )*sky\b", "", plain)
    plain = re.sub(r"\b(?:top|upper)[- ](left|right)\b", r"high from the \1", plain)
    plain = re.sub(r"\b(?:bottom|lower)[- ](left|right)\b", r"low from the \1", plain)
    return re.sub(r"\s+", " ", plain.replace(" (", ", ").replace(")", ""))


def _move(match: re.Match[str]) -> MoveClaim:
    (from_arcs, from_heights), (to_arcs, to_heights) = position_of(match[1]), position_of(match[2])
    return MoveClaim(from_arcs, to_arcs, from_heights, to_heights)


def _read_sentence(sentence: str, lights: list[LightClaim]) -> None:
    """Append the lights of a sentence, or complete the light before where the sentence goes on about it."""
    chunks = list(_chunks(sentence))
    if not chunks and lights and _CONTINUES.search(sentence):
        chunks = [(sentence, Meaning("light"))]
    for index, (words, meaning) in enumerate(chunks):
        claim = _claim(words, meaning)
        if not claim.states_something and not claim.is_denied and claim.source == "light" and not claim.role:
            continue
        if index == 0 and lights and _CONTINUES.search(sentence) and _completes(lights[0], claim):
            lights[0] = _completed(lights[0], claim)
        else:
            lights.append(claim)


def _chunks(sentence: str) -> Iterator[tuple[str, Meaning]]:
    """Cut a sentence into one part for each light; nouns that belong together are one light."""
    heads = list(NOUN.finditer(sentence))
    start, first = 0, 0
    for index in range(1, len(heads) + 1):
        cut = len(sentence) if index == len(heads) else _cut(sentence, heads[index - 1].end(), heads[index].start())
        if cut is not None:
            yield sentence[start:cut], _combined([meaning_of(head, NOUNS) for head in heads[first:index]])
            start, first = cut, index


def _cut(sentence: str, start: int, end: int) -> int | None:
    """Return where a new light begins between two nouns; None where both name one light."""
    connectors = [match for match in _CONNECTOR.finditer(sentence) if start <= match.start() and match.end() <= end]
    for connector in reversed(connectors):
        if not _PREPOSITION.search(sentence[connector.end() : end]):
            return connector.start()
    return None


def _combined(meanings: Sequence[Meaning]) -> Meaning:
    """Return what several nouns for one light state: the first that states something of each field."""
    found = Meaning("light")
    for meaning in meanings:
        source = meaning.source if found.source == "light" else found.source
        changes = {
            name: getattr(found, name) or getattr(meaning, name) for name in Meaning.__slots__ if name != "source"
        }
        found = replace(found, source=source, **changes)
    return found


def _claim(words: str, meaning: Meaning) -> LightClaim:
    arcs, heights, is_even = direction_of(words)
    temperatures, hues = colors_of(words)
    return LightClaim(
        words=words.strip(" ,.;"),
        source=meaning.source,
        role=meaning.role or ("other" if _OTHER.search(words) else ""),
        azimuths_deg=arcs or (() if is_even else meaning.azimuths_deg),
        elevations_deg=heights or meaning.elevations_deg,
        hardness=hardness_of(words) or meaning.hardness,
        temperatures_k=temperatures or (() if hues else meaning.temperatures_k),
        hues=hues,
        intensities_ev=brightness_of(words),
        contrasts_ev=contrasts_of(words),
        is_even=is_even or (meaning.is_even and not arcs),
        than_first=compared[1] if (compared := _THAN_FIRST.search(words)) else "",
        is_denied=bool(_GONE.search(words) or (_NO_LIGHT.match(words.strip()) and not is_even)),
    )


def _completes(first: LightClaim, more: LightClaim) -> bool:
    """Whether a further statement about "the light" adds to the first one rather than to another light."""
    if more.role and first.role != more.role and not (more.role == "key" and not first.role):
        return False
    return more.words.startswith(("it ", "its ")) or not any(
        getattr(first, name) and getattr(more, name) and not set(getattr(first, name)) & set(getattr(more, name))
        for name in _STATED
        if name != "is_even"
    )


def _completed(first: LightClaim, more: LightClaim) -> LightClaim:
    changes = {name: getattr(first, name) or getattr(more, name) for name in _STATED}
    return replace(first, words=f"{first.words}; {more.words}", **changes)
