"""What a part of a text, which is about one light, states of it: sides, heights, hardness, colour, brightness."""

import re
from collections.abc import Sequence
from typing import TypeVar

from lumenmill_light.axes import wrap_deg
from lumenmill_light.reading_nouns import NOUNS
from lumenmill_light.reading_words import (
    BRIGHTNESS,
    COLORS,
    CONTRASTS,
    ELEVATIONS,
    EVEN,
    HARDNESSES,
    LEFT,
    RIGHT,
    SHADOW_DIRECTIONS,
    SIDES,
    Arc,
    Range,
    pattern,
)

__all__ = [
    "NOUN",
    "POSITION",
    "brightness_of",
    "colors_of",
    "contrasts_of",
    "direction_of",
    "hardness_of",
    "meaning_of",
    "position_of",
]

_Meaning = TypeVar("_Meaning")


def _any_of(*tables: tuple[tuple[str, object], ...]) -> str:
    return "|".join(words for table in tables for words, _ in table)


NOUN = pattern(NOUNS)
"""Matches a noun for a light; `meaning_of(match, NOUNS)` is what it states."""
_SIDE, _ELEVATION, _EVEN = pattern(SIDES), pattern(ELEVATIONS), re.compile(rf"\b(?:{EVEN})\b")
_COLOR, _HARDNESS, _CONTRAST, _BRIGHT = map(pattern, (COLORS, HARDNESSES, CONTRASTS, BRIGHTNESS))
_PREPOSITION = (
    r"(?:(?:from|on|at|in|off|by|to|of|towards?)(?: its| my| your| our)? "
    r"|(?=(?:straight |directly )?behind|camera|slightly (?:left|right) of))"
)
_FROM_SIDE = re.compile(rf"\b{_PREPOSITION}(?:{_any_of(SIDES)})\b")
# A side as an adjective: "left light", "right-hand key".
_SIDE_ADJECTIVE = re.compile(rf"\b(?:left|right)(?:[- ]hand)? (?=(?:[\w-]+ )?(?:{_any_of(NOUNS)})\b)")
# A side of things that light or shadow falls on: "lights the left side of the face", "the right side is in shadow".
_LIGHTS = (
    r"(?:lights?|lighting|illuminat(?:es?|ing)|brightens?|falls? on|strikes?|hits?|catch(?:es)?|grazes?)(?: up)?"
    r" (?:the|its|his|her|their) (left|right)(?:[- ]hand)? side"
)
_SIDE_OF = r"(?<!on the )(?<!at the )(left|right)(?:[- ]hand)? side(?: of (?:the|its|his|her|their) [\w-]+)?"
_LIT_SIDE = re.compile(rf"\b(?:{_LIGHTS}|{_SIDE_OF} (?:is|are) (?:[a-z]+ly )?(?:lit|illuminated|bright(?:er|est)?))\b")
_SHADED = r"(?:(?:falls |lost |lies )?in(?:to)? (?:[a-z]+ )?(?:shadow|shade|darkness)|dark(?:er)?)"
_SHADED_SIDE = re.compile(rf"\b{_SIDE_OF} (?:(?:is|are) )?{_SHADED}\b")
_LEFT_OR_RIGHT = {"left": LEFT, "right": RIGHT}
_OPPOSITE = {"left": RIGHT, "right": LEFT}
POSITION = rf"(?:(?:{_any_of(SIDES, ELEVATIONS)}|from|on|at)\b,? ?)+"
"""An expression for a position: "the front left", "high up, from the left"."""
_SHADOWS = re.compile(rf"shadows? (?:of (?:the|an?|its) [\w-]+ )?(?:[\w-]+ )?(?:{_any_of(SHADOW_DIRECTIONS)})\b")
_SHADOW = pattern(SHADOW_DIRECTIONS)
_MOSTLY = re.compile(r"\b(?:strongest|brightest|mostly)\b")
_KELVIN = re.compile(r"\b(\d{1,2}[ ,]?\d{3}) ?k(?:elvin)?\b")
_NEGATION = re.compile(
    r"\b(?:not|no|without|never|neither|nor|isn't|rather than|instead of|hardly)"
    r"(?: an?| the| any| at all)?\s+(?:[\w-]+\s+)?$"
)
# Characters around a word that decide what it describes; more would make reading slow where texts repeat themselves.
_CONTEXT = 160
_ADJECTIVES = _any_of(COLORS, HARDNESSES, BRIGHTNESS)
# Words between an adjective and the noun that it describes.
_BETWEEN = re.compile(
    rf"^(?:[\s,-]|(?:and|or|{_ADJECTIVES}"
    r"|small|large|huge|wide|narrow|tiny|single|main|strong|weaker|weak|distant|bare|shaded|upright|long|low|high|late"
    r"|horizontal|ambient|directional|direct|broad|faint|second|other|even|open|studio|natural|artificial|early"
    r"|evening|morning|afternoon|winter|summer|veiled|sloping|slanting|long-slanting|half-high|toned|coloured|colored"
    r"|tinted|left|right|front|back|side|key|fill|rim|window|flat|very|rather|quite|last|pale|diffuse|background|panel"
    rf"|edges?)\b)*(?:{_any_of(NOUNS)}|shadows?|edges)\b"
)
# Words before an adjective that says what a light is or becomes.
_PREDICATE = re.compile(
    r"\b(?:is|are|looks?|seems?|feels?|turns?|becomes?|being|it|them|of the light|colou?r|shadows"
    r"|(?:make|turn)s? (?:[\w-]+ )*?(?:light|lamp|sunlight|daylight))"
    r"(?:,? (?:now|very|rather|probably|also|an?|much|a little|slightly|clearly|both|and|neither|nor|not|or|to"
    r"|warmer|cooler|harder|softer|(?:brighter|dimmer)(?: by about [\w ]+? stops?)?"
    rf"|{_ADJECTIVES}))*,?\s+$"
    r"|\b(?:is|comes|falls)\b(?:(?! an? | the (?!left|right|front|back|camera|side)|[.;]).)*,(?: and)?\s+$"
)


def meaning_of(match: re.Match[str], table: Sequence[tuple[str, _Meaning]]) -> _Meaning:
    """Return what the row of a table means that matched."""
    return table[int(match.lastindex or 0) - 1][1]


def position_of(words: str) -> tuple[tuple[Arc, ...], tuple[Range, ...]]:
    """Return the azimuths and elevations that a position means: "high up, from the left", "overhead"."""
    found = _SIDE.search(words)
    rest = words[: found.start()] + " " + words[found.end() :] if found else words
    height = _ELEVATION.search(rest)
    return meaning_of(found, SIDES) if found else (), (meaning_of(height, ELEVATIONS),) if height else ()


def direction_of(words: str) -> tuple[tuple[Arc, ...], tuple[Range, ...], bool]:
    """Return azimuths, elevations, and whether the light is said to come evenly from all around."""
    shadow = _SHADOWS.search(words)
    rest = _SHADOWS.sub("shadows", words)
    is_even = bool(_EVEN.search(rest)) and not _MOSTLY.search(rest)
    rest = _EVEN.sub(" ", rest)
    arcs = _arcs(rest)
    if shadow and not arcs and (found := _SHADOW.search(shadow[0])):
        arcs = meaning_of(found, SHADOW_DIRECTIONS)
    rest = _SIDE_ADJECTIVE.sub(" ", _FROM_SIDE.sub(" from ", rest))
    return arcs, _ranges(_ELEVATION, ELEVATIONS, rest, Range(-90.0, 90.0, 27.0)), is_even and not arcs


def hardness_of(words: str) -> tuple[Range, ...]:
    """Return the hardness of a light or of its shadows."""
    return _ranges(_HARDNESS, HARDNESSES, words, Range(0.0, 1.0, 0.5), adjectives=True)


def contrasts_of(words: str) -> tuple[Range, ...]:
    """Return the lighting contrast in stops."""
    return _ranges(_CONTRAST, CONTRASTS, words, Range(0.0, 32.0, 2.0))


def brightness_of(words: str) -> tuple[Range, ...]:
    """Return the intensity of a light in stops."""
    return _ranges(_BRIGHT, BRIGHTNESS, words, Range(-32.0, 32.0, 0.0), adjectives=True)


def colors_of(words: str) -> tuple[tuple[Range, ...], tuple[str, ...]]:
    """Return temperatures in kelvin, and hues; a number of kelvin counts for more than words."""
    kelvins = [float(re.sub(r"\D", "", match[1])) for match in _KELVIN.finditer(words)]
    found = [match for match in _COLOR.finditer(words) if _is_of_light(words, match)]
    meant, denied = (
        [meaning_of(match, COLORS) for match in found if _is_denied(words, match) is is_denied]
        for is_denied in (False, True)
    )
    hues = tuple(dict.fromkeys(hue for _, hue in meant if hue))
    if kelvins:
        return tuple(Range(kelvin * 0.93, kelvin * 1.07, kelvin) for kelvin in kelvins), hues
    stated, refused = ([each for each, _ in part if each is not None] for part in (meant, denied))
    return _stated(stated, refused, Range(1000.0, 25000.0, 6504.0)), hues


def _arcs(words: str) -> tuple[Arc, ...]:
    """Return the sides of a part of a text; a denied side is the rest of the turn."""
    arcs: list[Arc] = []
    for match in [*_FROM_SIDE.finditer(words), *_SIDE_ADJECTIVE.finditer(words)]:
        found = _SIDE.search(match[0])
        if found is None or _is_of_thing(words, match):
            continue
        meant = meaning_of(found, SIDES)
        if _is_denied(words, match):
            meant = tuple(Arc(wrap_deg(arc.center_deg + 180.0), 180.0 - arc.half_width_deg) for arc in meant)
        arcs += meant
    arcs += [_LEFT_OR_RIGHT[match[1] or match[2]] for match in _LIT_SIDE.finditer(words)]
    arcs += [_OPPOSITE[match[1]] for match in _SHADED_SIDE.finditer(words)]
    return tuple(dict.fromkeys(arcs))


def _is_of_thing(words: str, match: re.Match[str]) -> bool:
    """Whether a side without "from" follows another thing than a light: "warm light on a car on the left"."""
    heads = [head.end() for head in NOUN.finditer(words[: match.start()])]
    between = words[heads[-1] : match.start()] if heads else ""
    return match[0].startswith(("on ", "at ", "in ", "to ", "of ")) and bool(re.search(r"\b(?:an?|the)\b", between))


def _is_of_light(words: str, match: re.Match[str]) -> bool:
    """Whether an adjective describes a light or its shadows rather than another thing."""
    return "shadow" in match[0] or bool(
        _BETWEEN.match(words[match.end() : match.end() + _CONTEXT])
        or _PREDICATE.search(words[max(match.start() - _CONTEXT, 0) : match.start()])
    )


def _is_denied(words: str, match: re.Match[str]) -> bool:
    return bool(_NEGATION.search(words[max(match.start() - _CONTEXT, 0) : match.start()]))


def _ranges(
    expression: re.Pattern[str],
    table: Sequence[tuple[str, Range]],
    words: str,
    ends: Range,
    *,
    adjectives: bool = False,
) -> tuple[Range, ...]:
    found = [
        (meaning_of(match, table), _is_denied(words, match))
        for match in expression.finditer(words)
        if not adjectives or _is_of_light(words, match)
    ]
    return _stated([meant for meant, denied in found if not denied], [meant for meant, denied in found if denied], ends)


def _stated(meant: Sequence[Range], denied: Sequence[Range], ends: Range) -> tuple[Range, ...]:
    """Return the ranges that are meant without those that are denied; all others where something is only denied."""
    left = list(meant) or ([ends] if denied else [])
    for no in denied:
        parts = [(each, each.low, min(each.high, no.low)) for each in left]
        parts += [(each, max(each.low, no.high), each.high) for each in left]
        left = [
            Range(low, high, whole.typical if low < whole.typical < high else (low + high) / 2.0)
            for whole, low, high in parts
            if low < high
        ]
    return tuple(dict.fromkeys(left))
