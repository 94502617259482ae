"""What words about light mean in numbers, the vocabulary's own and those that people use besides.

A word means a range of values and a typical one. Ranges are wider than the bands from which texts are written, since
"warm" is no lie of an amber light; they contain those bands.
"""

import re
from typing import NamedTuple

from lumenmill_light.vocabulary import (
    FRONT_DEG,
    GEL_COLORS,
    INTENSITY_EV,
    SUN_ELEVATION_DEG,
    TEMPERATURE_K,
)

__all__ = [
    "BRIGHTNESS",
    "COLORS",
    "CONTRASTS",
    "ELEVATIONS",
    "EVEN",
    "HARDNESSES",
    "SHADOW_DIRECTIONS",
    "SIDES",
    "Arc",
    "Range",
    "pattern",
]


class Range(NamedTuple):
    """Values from `low` to `high`, and the one that is most often meant."""

    low: float
    high: float
    typical: float


class Arc(NamedTuple):
    """Azimuths up to `half_width_deg` on either side of `center_deg`, in degrees."""

    center_deg: float
    half_width_deg: float


LEFT, RIGHT, FRONT, BEHIND = Arc(-90.0, 40.0), Arc(90.0, 40.0), Arc(0.0, FRONT_DEG), Arc(180.0, FRONT_DEG)
FRONT_OF = {"left": Arc(-45.0, 22.5), "right": Arc(45.0, 22.5)}
_BACK_OF = {"left": Arc(-135.0, 22.5), "right": Arc(135.0, 22.5)}
# "slightly to the right" of the front and of the back.
_BESIDE_FRONT = {"left": Arc(-14.0, 8.5), "right": Arc(14.0, 8.5)}
_BESIDE_BACK = {"left": Arc(-166.0, 8.5), "right": Arc(166.0, 8.5)}

LOW, LEVEL, HIGH = Range(-6.0, 20.0, 5.0), Range(10.0, 45.0, 27.0), Range(38.0, 78.0, 57.0)
_VERY_HIGH = Range(66.0, 84.0, 76.0)
OVERHEAD, BELOW, _UNDERNEATH = Range(72.0, 90.0, 88.0), Range(-90.0, -2.0, -20.0), Range(-90.0, -45.0, -80.0)
_SUN_ELEVATIONS = (Range(-2.0, 10.0, 4.0), Range(3.0, 24.0, 13.0), Range(16.0, 52.0, 33.0), Range(42.0, 90.0, 58.0))
VERY_SOFT, SOFT = Range(0.0, 0.45, 0.19), Range(0.0, 0.63, 0.49)
MEDIUM, HARD = Range(0.5, 0.9, 0.73), Range(0.75, 1.0, 0.95)
_EMBER, DEEP_ORANGE, _AMBER = Range(1000, 2000, 1640), Range(1000, 2700, 2000), Range(1700, 3300, 2570)
_WARM, _WARM_WHITE, _NEUTRAL = Range(1500, 4400, 3500), Range(3200, 5600, 4650), Range(4800, 7700, 5950)
COOL, _COOL_WHITE = Range(6800, 25000, 8000), Range(6800, 12000, 8000)
_BLUISH, _COLD = Range(8000, 25000, 11000), Range(9500, 25000, 16000)
_OF_TEMPERATURE = dict(zip(
    (band.name for band in TEMPERATURE_K.bands),
    (_EMBER, DEEP_ORANGE, _AMBER, _WARM, _WARM_WHITE, _NEUTRAL, _COOL_WHITE, _BLUISH, _COLD),
    strict=True,
))  # fmt: skip
_OF_INTENSITY = (
    Range(-32, -1.9, -3.0),
    Range(-32, -0.8, -1.7),
    Range(-1.4, 1.4, 0.0),
    Range(0.8, 32, 1.7),
    Range(1.9, 32, 3.0),
)


def _words(*words: str) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True) if word)


def _beside(middle: str, side: str) -> tuple[str, str]:
    return rf"{middle},? (?:slightly|a little) to (?:the|its) {side}", rf"slightly (?:to the )?{side} of {middle}"


SIDES: tuple[tuple[str, tuple[Arc, ...]], ...] = (
    (r"behind (?:the )?(?:camera|photographer|viewer)", (FRONT,)),
    *(
        (rf"behind the subject\b[\w ,-]{{0,60}}?, brightest on the {side}", (Arc(arc.center_deg * 10.0 / 9.0, 40.0),))
        for side, arc in _BACK_OF.items()
    ),
    *((words, (arc,)) for side, arc in _BESIDE_FRONT.items() for words in _beside(r"(?:the )?front", side)),
    *((words, (arc,)) for side, arc in _BESIDE_BACK.items() for words in _beside(r"(?:the )?(?:behind|back)", side)),
    *((rf"(?:the )?front[- ,]*(?:(?:on|to) )?(?:the )?{side}", (arc,)) for side, arc in FRONT_OF.items()),
    *((rf"(?:the )?{side}[- ]front", (arc,)) for side, arc in FRONT_OF.items()),
    *((rf"(?:the )?{side}(?: side)? of the camera", (Arc(arc.center_deg, 45.0),)) for side, arc in FRONT_OF.items()),
    *(
        (rf"(?:(?:the )?(?:back|rear)|behind)[- ,]*(?:(?:and )?(?:on|to|from) |and )?(?:the )?{side}", (arc,))
        for side, arc in _BACK_OF.items()
    ),
    *((rf"(?:the )?{side}(?:[- ,]|and|from)*(?:behind|back|rear)", (arc,)) for side, arc in _BACK_OF.items()),
    (r"(?:the )?(?:direction of the camera|camera's (?:side|direction|position)|front|viewer)(?! of)", (FRONT,)),
    (r"(?:straight |directly |right )?behind|(?:the )?(?:back|rear)(?! of)", (BEHIND,)),
    (r"camera[- ]left|(?:the |its |one's )?left(?:[- ]hand)?(?: side)?(?! of)", (LEFT,)),
    (r"camera[- ]right|(?:the |its |one's )?right(?:[- ]hand)?(?: side)?(?! of)", (RIGHT,)),
    (r"(?:the|one) side(?! of)", (LEFT, RIGHT)),
)
"""Where light comes from, after "from" or the like; more exact wordings stand first."""

SHADOW_DIRECTIONS: tuple[tuple[str, tuple[Arc, ...]], ...] = (
    (r"to(?:wards?)? the left", (Arc(90.0, 80.0),)),
    (r"to(?:wards?)? the right", (Arc(-90.0, 80.0),)),
    (r"towards? the (?:camera|viewer)", (Arc(180.0, 70.0),)),
)
"""Where light comes from whose shadows fall there."""

EVEN = (
    r"evenly(?! from (?:the|behind|above|below|high|low))|even from all sides|from all (?:around|sides|directions)"
    r"|from everywhere|from many sides|(?:no|without)(?: an?)?(?: clear| single| dominant)? direction|directionless"
)

_SUN_WORDS = tuple(
    (_words(*band.words, *(word.removeprefix("a ") for word in band.words)), found)
    for band, found in zip(SUN_ELEVATION_DEG.bands, _SUN_ELEVATIONS, strict=True)
)
ELEVATIONS: tuple[tuple[str, Range], ...] = (
    *_SUN_WORDS,
    (r"(?:from )?(?:straight|directly|right) (?:underneath|(?:from )?below)|from underneath", _UNDERNEATH),
    (r"(?:from )?below|from under|underlit|up-?light\w*|under-?light\w*|from the floor", BELOW),
    (
        r"(?:straight |directly |right )?overhead|(?:directly|straight|right) (?:from )?above|from the ceiling"
        r"|top-?lit|top[- ]light\w*|zenith",
        OVERHEAD,
    ),
    (r"(?:from )?(?<!sky )above", Range(30.0, 90.0, 57.0)),
    (r"(?:very|extremely) high(?: up)?(?![- ](?:key|contrast))", _VERY_HIGH),
    (r"high(?: up)?(?![- ](?:key|contrast))|steep(?:ly)?|raised", HIGH),
    (r"low(?: down)?(?![- ](?:key|contrast|exposure|light\b))|grazing|raking|horizontal(?:ly)? from|horizon", LOW),
    (r"half-?way up|at (?:medium|half) height|at eye level|slanting|sloping", LEVEL),
)  # fmt: skip

HARDNESSES: tuple[tuple[str, Range], ...] = (
    (
        r"(?:very|extremely|super) soft|diffused?|shadowless|wrap-?around|gentle|(?:barely any|no visible) shadows"
        r"|shadows that melt away",
        VERY_SOFT,
    ),
    (
        r"(?:slightly|fairly|moderately|lightly|a little) (?:soft(?:ened)?|hard|feathered)"
        r"|semi-?(?:soft|hard)|medium(?:-?hard)?",
        MEDIUM,
    ),
    (r"clear(?= shadows)", Range(0.5, 1.0, 0.75)),
    (r"(?:very |extremely )?(?:hard(?:-edged)?|harsh|crisp|sharp(?:-edged|ly defined)?)", HARD),
    (r"soft(?:ly|ened|-edged)?|gently feathered|smooth|hazy|misty", SOFT),
)  # fmt: skip

CONTRASTS: tuple[tuple[str, Range], ...] = (
    (r"almost no shadows|flat", Range(0.0, 1.5, 0.5)),
    (r"gentle shadows|low[- ]contrast", Range(0.0, 3.0, 1.7)),
    (r"deep shadows|high[- ]contrast|low[- ]key|chiaroscuro", Range(2.5, 32.0, 5.0)),
)

# "warm white" stands before "warm".
_TEMPERATURES = tuple((_words(*band.words), (_OF_TEMPERATURE[band.name], "")) for band in reversed(TEMPERATURE_K.bands))
COLORS: tuple[tuple[str, tuple[Range | None, str]], ...] = (
    *_TEMPERATURES,
    (r"icy", (_BLUISH, "")),
    (r"ember-?like|fiery", (_EMBER, "")),
    (r"tungsten|incandescent|yellowish|candle-?lit|cozy|cosy|fire-?lit", (_AMBER, "")),
    (r"warmly|orange-tinted|sunset-coloured", (_WARM, "")),
    (r"neutral(?:ly)?|colou?rless|daylight-(?:balanced|white)", (_NEUTRAL, "")),
    (r"steel-?blue", (_COLD, "")),
    (r"cool|cold|chilly|coolly|steely|wintry", (COOL, "")),
    *((_words(name), (None, name)) for name in GEL_COLORS),
    (r"blue", (Range(8000, 25000, 13000), "deep blue")),
    (r"orange", (DEEP_ORANGE, "orange")),
    (r"cyan|turquoise|aqua", (None, "teal")),
    (r"purple|lilac", (None, "violet")),
    (r"pink|fuchsia", (None, "magenta")),
    (r"crimson|scarlet", (None, "red")),
)
"""Words for colours: a temperature, a hue, or, of "blue" and "orange", either."""

BRIGHTNESS: tuple[tuple[str, Range], ...] = (
    *(
        (_words(*band.words), found)
        for band, found in zip(INTENSITY_EV.bands, _OF_INTENSITY, strict=True)
        if any(band.words)
    ),
    (r"brightly|brilliant", _OF_INTENSITY[3]),
    (r"dimly|murky|gloomy", _OF_INTENSITY[1]),
)  # fmt: skip


def pattern(table: tuple[tuple[str, object], ...]) -> re.Pattern[str]:
    """Return one expression over a table's rows; group i + 1 is row i."""
    return re.compile("|".join(rf"\b({words})\b" for words, _ in table))
