"""What a picture shows of the light that arrived, by measurement: only that is put into words."""

from dataclasses import dataclass

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.measure import Measured
from lumenmill_light.axes import angle_between_deg
from lumenmill_light.color import WHITE_TEMPERATURE_K, mired
from lumenmill_light.visible_lights import VisibleLight
from lumenmill_light.vocabulary import HARDNESS, TEMPERATURE_K, Band, Scale

__all__ = [
    "Shown",
    "is_from_all_around",
    "seen_hardness",
    "seen_temperature_k",
    "shown_by",
    "shows_evenness",
    "shows_side",
]

# Light from all around has a side where the shading is brightest within this angle of it.
_SAME_SIDE_DEG = 45.0
# Light is even where shading differs by less than this, and this part of it is not occluded.
_EVEN_EV, _EVEN_UNOCCLUDED = 1.5, 0.6
# Surfaces show a milder colour than that of the light from this difference on.
_MILDER_MIRED = 60.0
_WHITES = {"warm white", "neutral white", "cool white"}
_SURROUNDING = {light_pb2.LIGHT_KIND_ENVIRONMENT_MAP, light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS}


@dataclass(frozen=True)
class Shown:
    """What was measured in the picture; None where it is not known.

    Attributes:
        brightness_ev: of the surfaces as shown, in stops from mid grey.
        azimuth_deg, elevation_deg: where the light comes from.
        hardness: by the penumbra of cast shadows.
        color_temperature_k: in kelvin, of the light on the surfaces.
        shading_contrast_ev: stops between the 95th and the 5th percentile of shading.
    """

    brightness_ev: float = 0.0
    azimuth_deg: float | None = None
    elevation_deg: float | None = None
    hardness: float | None = None
    color_temperature_k: float | None = None
    shading_contrast_ev: float | None = None


def shown_by(measured: Measured) -> Shown:
    """Return what a measured picture shows."""
    attributes, methods = measured.proto.attributes, measured.proto.methods
    has_direction = attributes.HasField("azimuth_deg")
    is_of_shading = methods.get("color_temperature_k", "").startswith("shading-")
    return Shown(
        brightness_ev=measured.shown_brightness_ev,
        azimuth_deg=attributes.azimuth_deg if has_direction else None,
        elevation_deg=attributes.elevation_deg if has_direction else None,
        hardness=attributes.hardness if methods.get("hardness") == "penumbra-width" else None,
        color_temperature_k=attributes.color_temperature_k if is_of_shading else None,
        shading_contrast_ev=measured.shading_contrast_ev,
    )


def is_from_all_around(attributes: light_pb2.LightAttributes) -> bool:
    """Whether a light comes from all around, perhaps mostly from one side: that of maps, or daylight without sun."""
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
