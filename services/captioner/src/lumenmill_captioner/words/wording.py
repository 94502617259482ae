"""Choice of words. Thresholds and words for light are those of `lumenmill_light.vocabulary`."""

from collections.abc import Sequence
from random import Random

from lumenmill.common.v1 import light_pb2
from lumenmill_light.color import WHITE_TEMPERATURE_K, mired
from lumenmill_light.visible_lights import VisibleLight
from lumenmill_light.vocabulary import (
    ELEVATION_DEG,
    HARDNESS,
    TEMPERATURE_K,
    adjectives,
    direction_phrase,
)

__all__ = ["Words", "has_hard_sun", "is_overhead", "joined", "look", "source_noun"]

# Temperatures that are measured on surfaces under white light differ from white by up to this.
_MEASURED_MIRED = 18.0
# `direction_phrase` has at most so many wordings for one direction.
_NUM_DIRECTION_VARIANTS = 4
# Daylight from here on is called sunlight.
_HARD_SUN = 0.75


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

    def where(self, attributes: light_pb2.LightAttributes) -> str:
        """Return side and height that light comes from: "low from the left"; its direction must be known."""
        variant = self._random.randrange(_NUM_DIRECTION_VARIANTS)
        return direction_phrase(attributes.azimuth_deg, attributes.elevation_deg, variant)

    def temperature(self, temperature_k: float) -> str:
        """Return an adjective for a colour temperature."""
        return self.pick(TEMPERATURE_K.band(temperature_k).words)

    def measured_temperature(self, temperature_k: float) -> str:
        """Return an adjective for a measured temperature: that of white within the error of the measurement."""
        is_white = abs(mired(temperature_k) - mired(WHITE_TEMPERATURE_K)) < _MEASURED_MIRED
        return self.temperature(WHITE_TEMPERATURE_K if is_white else temperature_k)

    def color(self, light: VisibleLight) -> str:
        """Return an adjective for the colour of a light, its hue or its temperature; empty where it is not known."""
        if light.hue or not light.attributes.HasField("color_temperature_k"):
            return light.hue
        return self.temperature(light.attributes.color_temperature_k)

    def hardness(self, attributes: light_pb2.LightAttributes) -> str:
        """Return an adjective for hardness; empty where it is not known."""
        return self.pick(HARDNESS.band(attributes.hardness).words) if attributes.HasField("hardness") else ""


_NOUNS = {
    light_pb2.LIGHT_KIND_ENVIRONMENT_MAP: "ambient light",
    light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS: "ambient light",
    light_pb2.LIGHT_KIND_BACKGROUND: "light from the background",
}


def has_hard_sun(attributes: light_pb2.LightAttributes) -> bool:
    """Whether light is that of a sun which casts hard shadows: of daylight, or in an environment map."""
    kind = attributes.kinds[0] if attributes.kinds else light_pb2.LIGHT_KIND_UNSPECIFIED
    may_have_sun = kind in {light_pb2.LIGHT_KIND_SUN_SKY, light_pb2.LIGHT_KIND_ENVIRONMENT_MAP}
    return may_have_sun and attributes.hardness >= _HARD_SUN and attributes.HasField("azimuth_deg")


def source_noun(attributes: light_pb2.LightAttributes) -> str:
    """Return a noun for a light by its kind: "sunlight", "ambient light", "light" of a lamp or of a sun in a map."""
    kind = attributes.kinds[0] if attributes.kinds else light_pb2.LIGHT_KIND_UNSPECIFIED
    if kind == light_pb2.LIGHT_KIND_SUN_SKY:
        return "sunlight" if has_hard_sun(attributes) else "daylight"
    return "light" if has_hard_sun(attributes) else _NOUNS.get(kind, "light")


def look(*words: str) -> str:
    """Return adjectives of a light as they stand before a noun; of two that are "slightly" the first is "fairly"."""
    if sum(word.startswith("slightly ") for word in words) < 2:
        return adjectives(*words)
    return adjectives(*(word.replace("slightly soft", "fairly soft") for word in words))


def joined(*words: str) -> str:
    """Return the words that are not empty, with spaces between."""
    return " ".join(word for word in words if word)
