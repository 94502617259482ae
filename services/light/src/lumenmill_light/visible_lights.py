"""The lights that are seen apart in a picture, from what arrived of each source."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumenmill.common.v1 import light_pb2
from lumenmill_light.color import Array, luminance, mired, temperature_of_white, temperature_rgb
from lumenmill_light.difference import direction_difference_deg
from lumenmill_light.vocabulary import hue_word

__all__ = ["RIM_DEG", "VisibleLight", "visible_lights"]

# Part of the light from which a source is seen beside others, from behind, and in another colour.
_MIN_SHARE, _MIN_RIM_SHARE, _MIN_COLORED_SHARE = 0.2, 0.15, 0.15
RIM_DEG = 118.0
"""Light from further round than this comes from behind, where it shows as an edge."""
# Sources closer than this light the same surfaces: they are seen as one light of their mixed colour.
_SAME_DEG = 20.0
# So are sources of one eighth of a turn within this angle, unless their colours differ.
_SAME_SIDE_DEG = 45.0
_OTHER_MIRED = 80.0


@dataclass(frozen=True, slots=True)
class VisibleLight:
    """One light as it is seen, perhaps of several sources from one direction.

    Attributes:
        attributes: those of its source with the largest share, relative to the camera, in the colour of all.
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
    """Return the lights that are seen apart, that with the largest share first; none for a black picture.

    A light is seen from a share of 20 %, from behind or in clearly another colour than the first from 15 %.

    Args:
        arrived: what arrived.
        min_share: the share from which lights are returned, in place of these.
    """
    groups: list[list[light_pb2.ArrivedSource]] = []
    for source in arrived.sources:
        same = next((group for group in groups if _are_one(group[0], source)), None)
        if same is None:
            groups.append([source])
        else:
            same.append(source)
    lights = sorted((_light(group) for group in groups), key=lambda light: -light.share)
    return [light for light in lights if light.share >= (_least(light, lights[0]) if min_share is None else min_share)]


def _are_one(one: light_pb2.ArrivedSource, other: light_pb2.ArrivedSource) -> bool:
    """Whether two sources come from one direction, from one side in one colour, or both from nowhere in particular."""
    first, second = one.attributes, other.attributes
    angle_deg = direction_difference_deg(first, second)
    if angle_deg is None:
        return first.HasField("azimuth_deg") == second.HasField("azimuth_deg")
    are_beside = angle_deg < _SAME_SIDE_DEG and _eighth(first) == _eighth(second)
    return angle_deg < _SAME_DEG or (are_beside and not _has_other_color(_light([one]), _light([other])))


def _eighth(attributes: light_pb2.LightAttributes) -> int:
    return round(attributes.azimuth_deg / 45.0) % 8


def _light(sources: Sequence[light_pb2.ArrivedSource]) -> VisibleLight:
    """Return sources that are seen as one light."""
    first, share = sources[0], sum(source.share for source in sources)
    attributes, rgb = first.attributes, _rgb(first)
    if len(sources) > 1:
        known = [(source.share, color) for source in sources if (color := _rgb(source)) is not None]
        rgb = np.sum([part * color for part, color in known], axis=0) if known else None
        attributes = light_pb2.LightAttributes()
        attributes.CopyFrom(first.attributes)
        attributes.ClearField("color_temperature_k")
        kelvin = None if rgb is None else temperature_of_white(rgb)
        if kelvin is not None:
            attributes.color_temperature_k = kelvin
    hue = "" if rgb is None or attributes.HasField("color_temperature_k") else hue_word(rgb.tolist())
    return VisibleLight(attributes, share, "" if hue == "white" else hue, first.source_index)


def _rgb(source: light_pb2.ArrivedSource) -> Array | None:
    """Return the colour (3,) of what arrives directly, of luminance 1; None where it is not known."""
    if source.HasField("color"):
        rgb = np.array([source.color.red, source.color.green, source.color.blue], np.float64)
        level = float(luminance(rgb))
        return rgb / level if level > 0.0 else None
    if source.attributes.HasField("color_temperature_k"):
        return temperature_rgb(source.attributes.color_temperature_k)
    return None


def _least(light: VisibleLight, first: VisibleLight) -> float:
    if light is first:
        return 0.0
    if _has_other_color(light, first):
        return _MIN_COLORED_SHARE
    is_rim = light.has_direction and abs(light.attributes.azimuth_deg) > RIM_DEG
    return _MIN_RIM_SHARE if is_rim else _MIN_SHARE


def _has_other_color(light: VisibleLight, other: VisibleLight) -> bool:
    if light.hue or other.hue:
        return light.hue != other.hue
    pair = (light.attributes, other.attributes)
    if not all(attributes.HasField("color_temperature_k") for attributes in pair):
        return False
    first, second = (mired(attributes.color_temperature_k) for attributes in pair)
    return abs(first - second) >= _OTHER_MIRED
