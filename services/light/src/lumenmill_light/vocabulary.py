"""Words for numbers of light: one table of thresholds, from which texts are written and into which they are read.

Every scale is a row of bands. Wordings of one band mean the same; the first is the plainest.
"""

import colorsys
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from lumenmill.common.v1 import light_pb2
from lumenmill_light.axes import wrap_deg

__all__ = [
    "CONTRAST_EV",
    "ELEVATION_DEG",
    "FRONT_DEG",
    "GEL_COLORS",
    "HARDNESS",
    "INTENSITY_EV",
    "SUN_ELEVATION_DEG",
    "TEMPERATURE_K",
    "Band",
    "Scale",
    "adjectives",
    "direction_phrase",
    "hue_word",
    "map_words",
    "phrase",
    "position_phrase",
    "side",
    "tint_word",
]


_INF = float("inf")


@dataclass(frozen=True, slots=True)
class Band:
    """Values below `upper`, down to the band before, and the words for them; "" means that nothing is said."""

    name: str
    upper: float
    words: tuple[str, ...]

    def word(self, variant: int = 0) -> str:
        """Return one of the wordings; any non-negative number picks one."""
        return self.words[variant % len(self.words)]


@dataclass(frozen=True, slots=True)
class Scale:
    """Bands in rising order, the last without an upper end."""

    bands: tuple[Band, ...]

    def band(self, value: float) -> Band:
        """Return the band of a value; a value on a threshold belongs to the band above."""
        for band in self.bands:
            if value < band.upper:
                return band
        return self.bands[-1]

    def word(self, value: float, variant: int = 0) -> str:
        """Return one of the words for a value."""
        return self.band(value).word(variant)

    def interval(self, first: str, last: str) -> tuple[float, float]:
        """Return the interval [from, to) that the bands from one name to another cover; an open end is infinite."""
        names = [band.name for band in self.bands]
        index = names.index(first)
        lower = self.bands[index - 1].upper if index else -_INF
        return lower, self.bands[names.index(last)].upper


TEMPERATURE_K = Scale(
    (
        Band("ember", 1800.0, ("ember-orange", "ember-coloured")),
        Band("deep orange", 2250.0, ("deep orange", "candle-coloured")),
        Band("amber", 3000.0, ("amber", "golden", "tungsten-warm")),
        Band("warm", 3800.0, ("warm", "honey-warm", "warm-toned")),
        Band("warm white", 5250.0, ("warm white", "creamy white", "pale warm")),
        Band("neutral white", 7300.0, ("neutral white", "white")),
        Band("cool white", 9500.0, ("cool white", "slightly cool")),
        Band("bluish", 13000.0, ("bluish", "cool blue")),
        Band("cold blue", _INF, ("cold blue", "icy blue")),
    )
)
ELEVATION_DEG = Scale(
    (
        Band("underneath", -60.0, ("from straight below",)),
        Band("below", -4.0, ("from below",)),
        Band("low", 13.0, ("low", "low down")),
        Band("level", 42.0, ("",)),
        Band("high", 72.0, ("high up", "high")),
        Band("very high", 80.0, ("very high up",)),
        Band("overhead", _INF, ("straight overhead", "directly above")),
    )
)
SUN_ELEVATION_DEG = Scale(
    (
        Band("horizon", 7.0, ("a sun close to the horizon", "the last low sun", "a sun just above the horizon")),
        Band("low", 20.0, ("a low sun", "low sunlight", "long-slanting sunlight")),
        Band("half-high", 48.0, ("a half-high sun", "slanting sunlight", "sloping sunlight")),
        Band("high", _INF, ("a high sun", "high sunlight", "a sun high in the sky")),
    )
)
# Sources wider than 32°, 14° and 3°.
HARDNESS = Scale(
    (
        Band("very soft", 0.385, ("very soft", "diffuse")),
        Band("soft", 0.588, ("soft",)),
        Band("medium", 0.87, ("slightly soft", "fairly soft")),
        Band("hard", _INF, ("hard", "crisp")),
    )
)
CONTRAST_EV = Scale(
    (
        Band("flat", 1.0, ("almost no shadows",)),
        Band("gentle", 2.5, ("gentle shadows",)),
        Band("clear", 4.0, ("clear shadows",)),
        Band("deep", _INF, ("deep shadows",)),
    )
)
INTENSITY_EV = Scale(
    (
        Band("very dim", -2.3, ("very dim",)),
        Band("dim", -1.15, ("dim",)),
        Band("medium", 1.14, ("",)),
        Band("bright", 2.3, ("bright",)),
        Band("very bright", _INF, ("very bright",)),
    )
)
# Eighths of a turn but the front and the back, from azimuth 0 towards the right; each follows "from".
_SIDES = (
    (),
    ("the front right",),
    ("the right", "the right side"),
    ("the back right", "behind on the right"),
    (),
    ("the back left", "behind on the left"),
    ("the left", "the left side"),
    ("the front left",),
)
FRONT_DEG, _LOW_FRONT_DEG = 10.0, 6.0
"""Up to where light comes from the front, and from behind: beyond, shadows run to a side."""
# Low light draws long shadows, which show its side sooner.
_LOW_BELOW_DEG = 20.0

# Gels of stage and film lighting, as linear Rec. 709.
GEL_COLORS: dict[str, tuple[float, float, float]] = {
    "red": (1.0, 0.06, 0.04),
    "magenta": (1.0, 0.08, 0.55),
    "violet": (0.42, 0.10, 1.0),
    "deep blue": (0.05, 0.16, 1.0),
    "teal": (0.03, 0.75, 0.70),
    "green": (0.08, 0.90, 0.16),
    "yellow": (1.0, 0.72, 0.06),
}
_HUES_DEG = Scale(
    tuple(
        Band(word, upper, (word,))
        for word, upper in (
            ("red", 18.0),
            ("orange", 42.0),
            ("yellow", 70.0),
            ("green", 155.0),
            ("teal", 195.0),
            ("deep blue", 250.0),
            ("violet", 290.0),
            ("magenta", 340.0),
            ("red", _INF),
        )
    )
)
_MIN_SATURATION = 0.12


def side(azimuth_deg: float, elevation_deg: float) -> tuple[str, ...]:
    """Return the wordings of the side that light comes from: "the front left", "the front, slightly to the left".

    Straight from the front, or from behind, is only what does so within 10°, within 6° at elevations below 20°.
    """
    index = round(wrap_deg(azimuth_deg) / 45.0) % 8
    if _SIDES[index]:
        return _SIDES[index]
    off_deg = wrap_deg(azimuth_deg if index == 0 else 180.0 - azimuth_deg)
    if abs(off_deg) <= (_LOW_FRONT_DEG if abs(elevation_deg) < _LOW_BELOW_DEG else FRONT_DEG):
        return ("the front", "the direction of the camera") if index == 0 else ("behind", "straight behind")
    hand = "right" if off_deg > 0.0 else "left"
    if index == 0:
        return f"the front, slightly to the {hand}", f"slightly {hand} of the front"
    return f"behind, slightly to the {hand}", f"slightly {hand} of the back"


def direction_phrase(azimuth_deg: float, elevation_deg: float, variant: int = 0) -> str:
    """Return the words for where light comes from: "low from the left", "from high up on the right".

    `variant` picks among wordings of equal meaning.
    """
    sides = side(azimuth_deg, elevation_deg)
    from_side = "from " + sides[variant % len(sides)]
    band = ELEVATION_DEG.band(elevation_deg)
    match band.name:
        case "overhead":
            return "from " + band.word(variant)
        case "underneath":
            return band.word(variant)
        case "high":
            position = position_phrase(azimuth_deg, elevation_deg)
            return "from " + (position, position.replace("high up", "high"))[variant // 2 % 2]
        case "very high" | "below":
            return "from " + position_phrase(azimuth_deg, elevation_deg)
        case "low":
            return "low " + from_side
        case _:
            return from_side


def position_phrase(azimuth_deg: float, elevation_deg: float) -> str:
    """Return a light's position as a noun: "the front left", "high up on the left", "straight overhead".

    It follows "from" and "to", and is read back as the direction. It contains no comma.
    """
    band, sides = ELEVATION_DEG.band(elevation_deg), side(azimuth_deg, elevation_deg)
    if band.name in {"overhead", "underneath"}:
        return band.word().removeprefix("from ")
    name = sides[1] if sides[-1].startswith("slightly ") else sides[0]
    height = {"below": "below", "low": "low", "high": "high up", "very high": "very high up"}.get(band.name, "")
    if not height or name == "behind" or name.startswith("slightly "):
        return f"{height} {name}".lstrip()
    return f"{height} {'at' if name == 'the front' else 'on'} {name}"


def hue_word(rgb: Sequence[float]) -> str:
    """Return the plain name of the hue of a linear Rec. 709 colour; "white" when it is hardly saturated."""
    peak = max(*rgb, 1e-9)
    red, green, blue = ((max(float(channel), 0.0) / peak) ** (1 / 2.2) for channel in rgb)
    hue, saturation, _ = colorsys.rgb_to_hsv(red, green, blue)
    return "white" if saturation < _MIN_SATURATION else _HUES_DEG.word(hue * 360.0)


def tint_word(duv: float) -> str:
    """Return the tint of light that lies off the black-body locus."""
    return "greenish" if duv > 0.0 else "pinkish"


def adjectives(*words: str) -> str:
    """Return the words that are not empty as they stand before a noun: two with a space, more with commas.

    So are two of which the second has a degree: "soft, slightly cool".
    """
    given = [word for word in words if word]
    has_degree = any(word.startswith(("slightly ", "much ", "fairly ", "very ")) for word in given[1:])
    return (", " if has_degree or len(given) > 2 else " ").join(given)


def phrase(attributes: light_pb2.LightAttributes, hue: str = "", variant: int = 0) -> str:
    """Return a noun phrase for a light: "bright, hard, amber light low from the left, with deep shadows".

    `hue` names a colour that no temperature describes and replaces it. Absent fields are not mentioned.
    """
    level = INTENSITY_EV.word(attributes.intensity_ev) if attributes.HasField("intensity_ev") else ""
    hardness = HARDNESS.word(attributes.hardness, variant) if attributes.HasField("hardness") else ""
    color = hue
    if not color and attributes.HasField("color_temperature_k"):
        color = TEMPERATURE_K.word(attributes.color_temperature_k, variant)
    where = ""
    if attributes.HasField("azimuth_deg"):
        where = direction_phrase(attributes.azimuth_deg, attributes.elevation_deg, variant)
    elif attributes.HasField("elevation_deg"):
        where = ELEVATION_DEG.word(attributes.elevation_deg)
    words = " ".join(word for word in (adjectives(level, hardness, color), "light", where) if word)
    return f"{words}, with {CONTRAST_EV.word(attributes.contrast_ev)}" if attributes.HasField("contrast_ev") else words


def map_words(name: str) -> str:
    """Return words for an environment map's file name: `urban_alley_01_1k.hdr` → "urban alley".

    A name without at least one word of three letters returns an empty string.
    """
    words = [word.lower() for word in re.split(r"[^A-Za-z]+", PurePath(name).stem)]
    readable = [word for word in words if len(word) >= 3 and re.search("[aeiouy]", word)]
    if len(readable) > 1 and readable[-1] in {"small", "large", "big", "old", "dark", "bright"}:
        readable = [readable[-1], *readable[:-1]]
    return " ".join(readable)
