"""The lights that are seen apart in a picture, from what arrived of each source."""

from collections.abc import Sequence
from dataclasses import dataclass

from lumenmill.common.v1 import light_pb2
from lumenmill_light.color import luminance_of_one, mired
from lumenmill_light.difference import direction_difference_deg
from lumenmill_light.vocabulary import hue_word

__all__ = ["VisibleLight", "visible_lights"]

# Part of the light from which a source is seen beside others, and from which one of another colour is.
_MIN_SHARE, _MIN_COLORED_SHARE = 0.12, 0.08
# Sources closer than this look like one.
_SAME_DEG, _SAME_MIRED, _SAME_HARDNESS = 15.0, 20.0, 0.15
_OTHER_MIRED = 50.0


@dataclass(frozen=True, slots=True)
class VisibleLight:
    """One light as it is seen, perhaps of several sources that look alike.

    Attributes:
        attributes: those of the source with the largest share, relative to the camera.
        share: part of the light of the visible surfaces, 0 to 1.
        hue: the name of a colour that no temperature describes; empty for white, and where the colour is not known.
        source_index: of that source in the light as rendered.
    """

    attributes: light_pb2.LightAttributes
    share: float
    hue: str
    source_index: int

    @property
    def has_direction(self) -> bool:
        """Whether it comes from somewhere in particular."""
        return self.attributes.HasField("azimuth_deg") and self.attributes.HasField("elevation_deg")


def visible_lights(arrived: light_pb2.ArrivedLight, *, min_share: float | None = None) -> list[VisibleLight]:
    """Return the lights that are seen apart, the largest share first; none for a black picture.

    A light is seen from a share of 12 %, one of clearly another colour than the first from 8 %.

    Args:
        arrived: what arrived.
        min_share: the share from which lights are returned, in place of these.
    """
    lights: list[VisibleLight] = []
    for source in arrived.sources:
        light = VisibleLight(source.attributes, source.share, _hue(source), source.source_index)
        same = next((index for index, other in enumerate(lights) if _look_alike(light, other)), None)
        if same is None:
            lights.append(light)
        else:
            first = lights[same]
            lights[same] = VisibleLight(first.attributes, first.share + light.share, first.hue, first.source_index)
    lights.sort(key=lambda light: -light.share)
    return [light for light in lights if light.share >= (_least(light, lights) if min_share is None else min_share)]


def _least(light: VisibleLight, lights: Sequence[VisibleLight]) -> float:
    if light is lights[0]:
        return 0.0
    return _MIN_COLORED_SHARE if _color_differs(light, lights[0], _OTHER_MIRED) else _MIN_SHARE


def _hue(source: light_pb2.ArrivedSource) -> str:
    if source.attributes.HasField("color_temperature_k") or not source.HasField("color"):
        return ""
    rgb = (source.color.red, source.color.green, source.color.blue)
    word = hue_word(rgb) if luminance_of_one(rgb) > 0.0 else "white"
    return "" if word == "white" else word


def _color_differs(light: VisibleLight, other: VisibleLight, least_mired: float) -> bool:
    if light.hue or other.hue:
        return light.hue != other.hue
    pair = (light.attributes, other.attributes)
    if not all(attributes.HasField("color_temperature_k") for attributes in pair):
        return False
    first, second = (mired(attributes.color_temperature_k) for attributes in pair)
    return abs(first - second) >= least_mired


def _look_alike(light: VisibleLight, other: VisibleLight) -> bool:
    if list(light.attributes.kinds) != list(other.attributes.kinds) or light.has_direction != other.has_direction:
        return False
    angle = direction_difference_deg(light.attributes, other.attributes)
    near = angle is None or angle < _SAME_DEG
    alike = abs(light.attributes.hardness - other.attributes.hardness) < _SAME_HARDNESS
    return near and alike and not _color_differs(light, other, _SAME_MIRED)
