"""What a picture shows of the light that arrived, by measurement: only that is put into words."""

from dataclasses import dataclass

import numpy as np

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.measure import Measured, oklab
from lumenmill_captioner.words.wording import has_hard_sun
from lumenmill_light.axes import angle_between_deg, angles_of
from lumenmill_light.color import WHITE_TEMPERATURE_K, mired
from lumenmill_light.visible_lights import VisibleLight
from lumenmill_light.vocabulary import HARDNESS, TEMPERATURE_K, Band, Scale
from lumenmill_media import srgb_to_linear

__all__ = [
    "MIN_CLIPPED",
    "Shown",
    "is_from_all_around",
    "seen_hardness",
    "seen_temperature_k",
    "shown_by",
    "shows_color",
    "shows_evenness",
    "shows_side",
]

MIN_CLIPPED = 0.02
"""Part of the area from which clipping is mentioned."""
# Light from all around has a side where the shading is brightest within this angle of it.
_SAME_SIDE_DEG = 45.0
# Light is even where shading differs by less than this, and this part of it is not occluded.
_EVEN_EV, _EVEN_UNOCCLUDED = 1.5, 0.6
# Surfaces show a milder colour than that of the light from this difference on.
_MILDER_MIRED = 60.0
_WHITES = {"warm white", "neutral white", "cool white"}
# A picture whose mean colour is this yellow in OKLab does not look blue, whatever the light; and the other way round.
_YELLOWISH_B = 0.02
_SURROUNDING = {light_pb2.LIGHT_KIND_ENVIRONMENT_MAP, light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS}


@dataclass(frozen=True)
class Shown:
    """What was measured in the picture; None where it is not known.

    Attributes:
        brightness_ev: of the surfaces as shown, in stops from mid grey.
        azimuth_deg, elevation_deg: of the source that explains the shading best, also where that is too uncertain to be
            stated as a measurement.
        hardness: by the penumbra of cast shadows.
        color_temperature_k: in kelvin, of the light on the surfaces.
        yellow_b: mean b of the picture in OKLab, above 0 yellow, below 0 blue.
        is_clipped: whether highlights are clipped to white.
        shading_contrast_ev: stops between the 95th and the 5th percentile of shading.
    """

    brightness_ev: float = 0.0
    azimuth_deg: float | None = None
    elevation_deg: float | None = None
    hardness: float | None = None
    color_temperature_k: float | None = None
    yellow_b: float | None = None
    is_clipped: bool = False
    shading_contrast_ev: float | None = None


def shown_by(measured: Measured) -> Shown:
    """Return what a measured picture shows."""
    attributes, methods = measured.proto.attributes, measured.proto.methods
    azimuth_deg, elevation_deg = (None, None) if measured.key is None else angles_of(measured.key.direction)
    is_of_shading = methods.get("color_temperature_k", "").startswith("shading-")
    return Shown(
        brightness_ev=measured.shown_brightness_ev,
        azimuth_deg=azimuth_deg,
        elevation_deg=elevation_deg,
        hardness=attributes.hardness if methods.get("hardness") == "penumbra-width" else None,
        color_temperature_k=attributes.color_temperature_k if is_of_shading else None,
        yellow_b=_yellow_b(measured),
        is_clipped=measured.proto.clipped_highlights_fraction >= MIN_CLIPPED,
        shading_contrast_ev=measured.shading_contrast_ev,
    )


def _yellow_b(measured: Measured) -> float | None:
    """Return the mean b in OKLab of the dominant colours by their parts of the picture; None without any."""
    colors = measured.proto.dominant_colors
    if not colors:
        return None
    shown = np.array([[int(color.hex[at : at + 2], 16) for at in (1, 3, 5)] for color in colors], np.float32) / 255.0
    return float(np.average(oklab(srgb_to_linear(shown))[:, 2], weights=[color.fraction for color in colors]))


def is_from_all_around(attributes: light_pb2.LightAttributes) -> bool:
    """Whether a light comes from all around, perhaps mostly from one side: that of maps, or daylight without sun.

    A sun that casts hard shadows has a side, also in a map.
    """
    if has_hard_sun(attributes):
        return False
    kind = attributes.kinds[0] if attributes.kinds else light_pb2.LIGHT_KIND_UNSPECIFIED
    is_sky = kind == light_pb2.LIGHT_KIND_SUN_SKY and HARDNESS.band(attributes.hardness).name in {"very soft", "soft"}
    return kind in _SURROUNDING or is_sky


def shows_side(light: VisibleLight, shown: Shown) -> bool:
    """Whether the picture shows where a light comes from: one from all around, if its shading is brightest there."""
    if not light.has_direction or not is_from_all_around(light.attributes):
        return light.has_direction
    if shown.azimuth_deg is None or shown.elevation_deg is None:
        return False
    seen = light.attributes
    angle_deg = angle_between_deg(seen.azimuth_deg, seen.elevation_deg, shown.azimuth_deg, shown.elevation_deg)
    return angle_deg <= _SAME_SIDE_DEG


def shows_evenness(light: VisibleLight, arrived: light_pb2.ArrivedLight, shown: Shown) -> bool:
    """Whether a light comes evenly, and nothing in its way makes it uneven."""
    unoccluded = next(
        source.unoccluded_fraction for source in arrived.sources if source.source_index == light.source_index
    )
    is_flat = shown.shading_contrast_ev is not None and shown.shading_contrast_ev < _EVEN_EV
    return not light.has_direction and is_flat and unoccluded >= _EVEN_UNOCCLUDED


def seen_hardness(light: VisibleLight, shown: Shown, *, is_even: bool = False) -> float | None:
    """Return the hardness that the picture shows; None where it shows none.

    Light from straight overhead shows none, nor do shadows whose measured penumbra is two bands away.
    """
    attributes = light.attributes
    is_overhead = light.has_direction and attributes.elevation_deg >= 80.0
    if not attributes.HasField("hardness") or is_even or is_overhead:
        return None
    if shown.hardness is not None and abs(_bands_between(HARDNESS, shown.hardness, attributes.hardness)) >= 2:
        return None
    return attributes.hardness


def shows_color(temperature_k: float, shown: Shown) -> bool:
    """Whether the picture does not look the opposite of a clearly warm or cool light: yellow under blue light."""
    band = TEMPERATURE_K.band(temperature_k).name
    if shown.yellow_b is None or band in _WHITES or band == "warm":
        return True
    return shown.yellow_b < _YELLOWISH_B if temperature_k > WHITE_TEMPERATURE_K else shown.yellow_b > -_YELLOWISH_B


def seen_temperature_k(temperature_k: float, shown: Shown) -> float:
    """Return a colour temperature, in the milder band next to its own where surfaces show it clearly milder."""
    if shown.color_temperature_k is None or TEMPERATURE_K.band(temperature_k).name in _WHITES:
        return temperature_k
    white, own, seen = (mired(kelvin) for kelvin in (WHITE_TEMPERATURE_K, temperature_k, shown.color_temperature_k))
    if abs(seen - white) > abs(own - white) - _MILDER_MIRED:
        return temperature_k
    band = TEMPERATURE_K.band(temperature_k)
    low_k, high_k = TEMPERATURE_K.interval(band.name, band.name)
    return high_k if temperature_k < WHITE_TEMPERATURE_K else low_k - 1.0


def _bands_between(scale: Scale, first: float, second: float) -> int:
    bands: tuple[Band, ...] = scale.bands
    return bands.index(scale.band(second)) - bands.index(scale.band(first))
