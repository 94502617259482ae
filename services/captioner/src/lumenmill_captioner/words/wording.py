"""Choice of words. Thresholds and words for light are those of `lumenmill_light.vocabulary`."""

from collections.abc import Sequence
from random import Random

from lumenmill.common.v1 import light_pb2
from lumenmill_light.color import WHITE_TEMPERATURE_K, mired
from lumenmill_light.vocabulary import (
    ELEVATION_DEG,
    HARDNESS,
    TEMPERATURE_K,
    direction_phrase,
    map_words,
    side,
    with_article,
)

__all__ = ["Words", "capitalised", "is_overhead", "listed", "source_noun"]

# Temperatures that are measured on surfaces under white light differ from white by up to this.
_MEASURED_MIRED = 18.0
# `direction_phrase` has at most so many wordings for one direction.
_NUM_DIRECTION_VARIANTS = 4


def is_overhead(elevation_deg: float) -> bool:
    """Return whether light comes from so high that it has no side."""
    return ELEVATION_DEG.band(elevation_deg).name == "overhead"


class Words:
    """Picks words by a seed; the same seed and light give the same text."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - words, not secrets

    def pick(self, options: Sequence[str]) -> str:
        """Return one of several wordings of equal meaning."""
        return self._random.choice(options)

    def side(self, azimuth_deg: float) -> str:
        """Return the eighth of a turn that light comes from: "the front left"."""
        return self.pick(side(azimuth_deg))

    def direction(self, azimuth_deg: float, elevation_deg: float) -> str:
        """Return side and height that light comes from: "low from the left"."""
        return direction_phrase(azimuth_deg, elevation_deg, self._random.randrange(_NUM_DIRECTION_VARIANTS))

    def position(self, azimuth_deg: float, elevation_deg: float) -> str:
        """Return the place of a light as a noun: "the left", "straight overhead"."""
        return (
            self.pick(ELEVATION_DEG.band(elevation_deg).words) if is_overhead(elevation_deg) else side(azimuth_deg)[0]
        )

    def temperature(self, temperature_k: float) -> str:
        """Return an adjective for a colour temperature."""
        return self.pick(TEMPERATURE_K.band(temperature_k).words)

    def measured_temperature(self, temperature_k: float) -> str:
        """Return an adjective for a measured temperature: that of white within the error of the measurement."""
        is_white = abs(mired(temperature_k) - mired(WHITE_TEMPERATURE_K)) < _MEASURED_MIRED
        return self.temperature(WHITE_TEMPERATURE_K if is_white else temperature_k)

    def hardness(self, hardness: float) -> str:
        """Return an adjective for hardness."""
        return self.pick(HARDNESS.band(hardness).words)


_NOUNS = {
    light_pb2.LIGHT_KIND_SUN_SKY: "daylight",
    light_pb2.LIGHT_KIND_ENVIRONMENT_MAP: "light of the surroundings",
    light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS: "ambient light",
    light_pb2.LIGHT_KIND_BACKGROUND: "light of the background",
}


def source_noun(kinds: Sequence["light_pb2.LightKind.ValueType"], map_names: Sequence[str]) -> str:
    """Return a noun for the dominant source by its kind: "light of an urban alley", "daylight", "light"."""
    if not kinds:
        return "light"
    words = map_words(map_names[0]) if map_names else ""
    if kinds[0] == light_pb2.LIGHT_KIND_ENVIRONMENT_MAP and words:
        return f"light of {with_article(words)}"
    return _NOUNS.get(kinds[0], "light")


def capitalised(sentence: str) -> str:
    """Return the sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]


def listed(parts: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
