"""Words for the attributes of light."""

import math
import re
from collections.abc import Sequence
from pathlib import PurePath
from random import Random

from lumenmill.common.v1 import light_pb2

from lumenmill_captioner.measure import mired

_SIDES = (
    ("the front", "the camera's side"),
    ("the front right", "the right of the camera"),
    ("the right", "the right side"),
    ("the back right", "behind on the right"),
    ("behind", "the far side"),
    ("the back left", "behind on the left"),
    ("the left", "the left side"),
    ("the front left", "the left of the camera"),
)
_TEMPERATURES: tuple[tuple[float, tuple[str, ...]], ...] = (
    (2300.0, ("deep orange", "ember-coloured")),
    (3100.0, ("amber", "golden", "very warm")),
    (4300.0, ("warm", "warm-toned")),
    (5300.0, ("slightly warm", "warm white")),
    (7000.0, ("neutral", "white", "neutral white")),
    (9800.0, ("cool", "bluish")),
    (math.inf, ("cold blue", "icy blue")),
)

# White of Rec. 709, and how far temperatures that are measured on surfaces stray from it under white light.
_WHITE_K, _MEASURED_MIRED = 6504.0, 18.0


def side_name(azimuth_deg: float) -> str:
    """Return the plain name of an eighth of a turn, for sentences that name two: "the front left"."""
    return _SIDES[round((azimuth_deg % 360.0) / 45.0) % 8][0]


class Words:
    """Picks words by a seed; the same seed and light give the same text."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - words, not secrets

    def pick(self, options: Sequence[str]) -> str:
        """Return one of several wordings of equal meaning."""
        return self._random.choice(options)

    def side(self, azimuth_deg: float) -> str:
        """Return where light comes from, in eighths of a turn: "the front left"."""
        return self.pick(_SIDES[round((azimuth_deg % 360.0) / 45.0) % 8])

    def direction(self, azimuth_deg: float, elevation_deg: float) -> str:
        """Return direction and height: "high up on the left"."""
        if elevation_deg >= 72.0:
            return self.pick(("straight above", "directly overhead"))
        side = self.side(azimuth_deg)
        if elevation_deg >= 42.0:
            return self.pick((f"{side}, high up", f"high up, from {side}"))
        if elevation_deg < -8.0:
            return f"{side}, from below"
        return f"{side}, low down" if elevation_deg < 10.0 else side

    def temperature(self, temperature_k: float) -> str:
        """Return an adjective for a colour temperature."""
        return self.pick(next(words for bound, words in _TEMPERATURES if temperature_k < bound))

    def measured_temperature(self, temperature_k: float) -> str:
        """Return an adjective for a measured colour temperature: that of white within what measurement errs by."""
        is_white = abs(mired(temperature_k) - mired(_WHITE_K)) < _MEASURED_MIRED
        return self.temperature(_WHITE_K if is_white else temperature_k)

    def hardness(self, hardness: float) -> str:
        """Return an adjective for hardness."""
        if hardness < 0.18:
            return self.pick(("very soft", "diffuse"))
        if hardness < 0.45:
            return "soft"
        return self.pick(("fairly soft", "slightly soft")) if hardness < 0.72 else self.pick(("hard", "crisp"))

    def tint(self, duv: float) -> str:
        """Return the tint of light that lies off the black-body locus."""
        return "greenish" if duv > 0.0 else "pinkish"


_NOUNS = {
    light_pb2.LIGHT_KIND_SUN_SKY: "daylight",
    light_pb2.LIGHT_KIND_ENVIRONMENT_MAP: "light of the surroundings",
    light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS: "ambient light",
    light_pb2.LIGHT_KIND_BACKGROUND: "light of the background",
}


def source_noun(kinds: Sequence["light_pb2.LightKind.ValueType"], map_names: Sequence[str]) -> str:
    """Return what the dominant source is, as far as its kind tells: "light of an urban alley", "daylight", "light"."""
    if not kinds:
        return "light"
    words = map_words(map_names[0]) if map_names else ""
    if kinds[0] == light_pb2.LIGHT_KIND_ENVIRONMENT_MAP and words:
        return f"light of {with_article(words)}"
    return _NOUNS.get(kinds[0], "light")


def map_words(name: str) -> str:
    """Return words for an environment map's file name: `urban_alley_01_1k.hdr` → "urban alley"; empty if unreadable."""
    words = [word.lower() for word in re.split(r"[^A-Za-z]+", PurePath(name).stem)]
    readable = [word for word in words if len(word) >= 3 and re.search("[aeiouy]", word)]
    if len(readable) > 1 and readable[-1] in {"small", "large", "big", "old", "dark", "bright"}:
        readable = [readable[-1], *readable[:-1]]
    return " ".join(readable)


def with_article(phrase: str) -> str:
    """Return a noun phrase with "a" or "an", as its first letter wants."""
    return ("an " if phrase[:1].lower() in set("aeiou") else "a ") + phrase


def capitalised(sentence: str) -> str:
    """Return the sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]


def listed(parts: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
