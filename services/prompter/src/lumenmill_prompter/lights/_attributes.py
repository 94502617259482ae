"""What a light looks like on the subject, derived from its sources.

| attribute           | rule |
| ------------------- | ---- |
| azimuth, elevation  | direction of the source with the largest irradiance; for spherical harmonics the linear band |
| hardness            | 1 / (1 + θ/20°) for the dominant source, of angular diameter θ; 0 for spherical harmonics;
|                     | a sun that gives under 60 % of the daylight is softened in proportion |
| contrast            | photographic lighting ratio, log₂(1 + key / fill), when there is a fill on the camera's side |
| colour temperature  | of the dominant source; absent for coloured gels |
| intensity           | log₂(ΣE / π): a white wall facing the light has radiance 2^intensity |

Environment and background maps are not opened here: a light that they dominate states its kinds alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lumenmill.common.v1 import light_pb2

from ._color import rgb_of_temperature, sunlight_temperature_k
from ._direction import circular_difference_deg, wrap_deg

_KIND_OF_FIELD = {
    "environment_map": light_pb2.LIGHT_KIND_ENVIRONMENT_MAP,
    "spherical_harmonics": light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS,
    "sun_sky": light_pb2.LIGHT_KIND_SUN_SKY,
    "directional": light_pb2.LIGHT_KIND_DIRECTIONAL,
    "area": light_pb2.LIGHT_KIND_AREA,
    "background": light_pb2.LIGHT_KIND_BACKGROUND,
}


@dataclass(frozen=True, slots=True)
class SourceLook:
    """One source as the subject sees it. None: the source does not tell."""

    kind: "light_pb2.LightKind.ValueType"
    azimuth_deg: float | None = None
    elevation_deg: float | None = None
    hardness: float | None = None
    temperature_k: float | None = None
    irradiance: float | None = None


def hardness_of_angular_diameter(diameter_deg: float) -> float:
    """Return hardness, 0 to 1, of a source of this angular diameter in degrees: 1 / (1 + θ/20°)."""
    return 1.0 / (1.0 + max(diameter_deg, 0.0) / 20.0)


def angular_diameter_of_area_deg(area: light_pb2.AreaLight) -> float:
    """Return the angular size, in degrees, of a square of the rectangle's area seen from the subject."""
    width = area.width_ratio or 1.0
    height = area.height_ratio or width
    return math.degrees(2.0 * math.atan2(math.sqrt(width * height) / 2.0, area.distance_ratio or 4.0))


def sun_share(light: light_pb2.SunSkyLight) -> float:
    """Return the part of the daylight that comes from the sun's disc, 0 to 1, after a rough clear-sky ratio."""
    sky = light.sky_scale if light.HasField("sky_scale") else 1.0
    sun = light.sun_scale if light.HasField("sun_scale") else 1.0
    if sun <= 0.0:
        return 0.0
    height = max(math.sin(math.radians(light.sun_elevation_deg)), 0.03)
    direct_to_diffuse = 8.0 * math.exp(-0.12 / height) * 3.0 / max(light.turbidity or 3.0, 2.0)
    return sun * direct_to_diffuse / (sun * direct_to_diffuse + sky)


def _look_of_harmonics(light: light_pb2.SphericalHarmonicsLight) -> SourceLook:
    c = light.coefficients
    weights = (0.2126, 0.7152, 0.0722)
    band0, ly, lz, lx = (sum(weights[ch] * c[9 * ch + i] for ch in range(3)) for i in range(4))
    length = math.sqrt(lx * lx + ly * ly + lz * lz)
    directed = length > 0.05 * abs(band0)
    return SourceLook(
        light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS,
        wrap_deg(math.degrees(math.atan2(lx, lz))) if directed else None,
        math.degrees(math.asin(ly / length)) if directed else None,
        0.0,
        _temperature_of_rgb(c[0], c[9], c[18]),
        math.pi * band0 / math.sqrt(4.0 * math.pi),
    )


def _chromaticity(red: float, green: float, blue: float) -> tuple[float, float]:
    """CIE 1931 x, y of a linear Rec. 709 colour."""
    x = 0.4124 * red + 0.3576 * green + 0.1805 * blue
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    total = x + y + 0.0193 * red + 0.1192 * green + 0.9505 * blue
    return x / total, y / total


def _temperature_of_rgb(red: float, green: float, blue: float) -> float | None:
    """McCamy's correlated colour temperature of a linear Rec. 709 colour; None away from the black-body locus."""
    if min(red, green, blue) < 0.0 or red + green + blue <= 0.0:
        return None
    x, y = _chromaticity(red, green, blue)
    n = (x - 0.3320) / (y - 0.1858)
    temperature = ((-449.0 * n + 3525.0) * n - 6823.3) * n + 5520.33
    if not 1700.0 <= temperature <= 20000.0:
        return None
    locus = _chromaticity(*rgb_of_temperature(temperature))
    return temperature if math.dist((x, y), locus) < 0.04 else None


def _temperature_of_color(source: light_pb2.AreaLight | light_pb2.DirectionalLight) -> float | None:
    if not source.HasField("color"):
        return 6504.0
    return source.color.temperature_k if source.color.WhichOneof("value") == "temperature_k" else None


def look_of_source(source: light_pb2.LightSource) -> SourceLook:
    """Return what one source looks like from the subject."""
    match source.WhichOneof("kind"):
        case "area":
            area = source.area
            hardness = hardness_of_angular_diameter(angular_diameter_of_area_deg(area))
            return SourceLook(
                light_pb2.LIGHT_KIND_AREA,
                wrap_deg(area.azimuth_deg),
                area.elevation_deg,
                hardness,
                _temperature_of_color(area),
                area.irradiance,
            )
        case "directional":
            parallel = source.directional
            return SourceLook(
                light_pb2.LIGHT_KIND_DIRECTIONAL,
                wrap_deg(parallel.azimuth_deg),
                parallel.elevation_deg,
                hardness_of_angular_diameter(parallel.angular_diameter_deg),
                _temperature_of_color(parallel),
                parallel.irradiance,
            )
        case "sun_sky":
            return _look_of_sun_sky(source.sun_sky)
        case "spherical_harmonics":
            return _look_of_harmonics(source.spherical_harmonics)
        case other:
            return SourceLook(_KIND_OF_FIELD[other or "background"])


def _look_of_sun_sky(light: light_pb2.SunSkyLight) -> SourceLook:
    share = sun_share(light)
    if share < 0.02:
        return SourceLook(light_pb2.LIGHT_KIND_SUN_SKY, hardness=0.0, temperature_k=_SKY_TEMPERATURE_K)
    sun_k = sunlight_temperature_k(round(light.sun_elevation_deg, 1), round(light.turbidity or 3.0, 1))
    mired = share * 1e6 / sun_k + (1.0 - share) * 1e6 / _SKY_TEMPERATURE_K
    return SourceLook(
        light_pb2.LIGHT_KIND_SUN_SKY,
        wrap_deg(light.sun_azimuth_deg),
        light.sun_elevation_deg,
        min(share / 0.6, 1.0) * hardness_of_angular_diameter(light.sun_diameter_deg or 0.53),
        1e6 / mired,
    )


_SKY_TEMPERATURE_K = 11000.0


def _contrast_ev(looks: Sequence[SourceLook], key: SourceLook) -> float | None:
    """Lighting ratio of the key to the fills on the camera's side; None without a fill or a measured key."""
    fills = [
        look.irradiance
        for look in looks
        if look is not key
        and look.irradiance
        and look.azimuth_deg is not None
        and circular_difference_deg(look.azimuth_deg, 0.0) <= 100.0
    ]
    if not fills or not key.irradiance:
        return None
    return math.log2(1.0 + key.irradiance / sum(fills))


def derive_attributes(light: light_pb2.Light) -> light_pb2.LightAttributes:
    """Return the attributes that the sources of a light imply; fields that they do not settle stay absent."""
    looks = [look_of_source(source) for source in light.sources]
    attributes = light_pb2.LightAttributes()
    if not looks:
        return attributes
    unknown_first = [look for look in looks if look.irradiance is None]
    ranked = unknown_first + sorted(
        (look for look in looks if look.irradiance is not None), key=lambda look: -(look.irradiance or 0.0)
    )
    key = ranked[0]
    if key.azimuth_deg is not None and key.elevation_deg is not None:
        attributes.azimuth_deg, attributes.elevation_deg = key.azimuth_deg, key.elevation_deg
    if key.temperature_k is not None:
        attributes.color_temperature_k = key.temperature_k
    if key.hardness is not None:
        attributes.hardness = key.hardness
    contrast = _contrast_ev(looks, key)
    if contrast is not None:
        attributes.contrast_ev = contrast
    total = sum(look.irradiance for look in looks if look.irradiance is not None)
    if not unknown_first and total > 0.0:
        attributes.intensity_ev = math.log2(total / math.pi)
    attributes.kinds.extend(dict.fromkeys(look.kind for look in ranked))
    return attributes
