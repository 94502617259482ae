"""The sources of a light: their kinds, their defaults written out, and the same source at another intensity."""

import math

from lumenmill.common.v1 import light_pb2
from lumenmill_light import sun_sky
from lumenmill_light.area import area_extent

__all__ = ["kind_name", "kind_of", "scaled", "with_defaults"]

_KIND_OF_FIELD = {
    "environment_map": light_pb2.LIGHT_KIND_ENVIRONMENT_MAP,
    "spherical_harmonics": light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS,
    "sun_sky": light_pb2.LIGHT_KIND_SUN_SKY,
    "directional": light_pb2.LIGHT_KIND_DIRECTIONAL,
    "area": light_pb2.LIGHT_KIND_AREA,
    "background": light_pb2.LIGHT_KIND_BACKGROUND,
}


def kind_of(source: light_pb2.LightSource) -> "light_pb2.LightKind.ValueType":
    """Return the kind of a source; unspecified where it has none."""
    return _KIND_OF_FIELD.get(source.WhichOneof("kind") or "", light_pb2.LIGHT_KIND_UNSPECIFIED)


def kind_name(kind: "light_pb2.LightKind.ValueType") -> str:
    """Return the name of a kind as exports write it: `environment_map`."""
    return light_pb2.LightKind.Name(kind).removeprefix("LIGHT_KIND_").lower()


def with_defaults(source: light_pb2.LightSource) -> light_pb2.LightSource:
    """Return the source with every default that the contract gives to an unset field written out."""
    result = light_pb2.LightSource()
    result.CopyFrom(source)
    if result.HasField("area"):
        area = result.area
        area.distance_ratio, area.width_ratio, area.height_ratio = area_extent(area)
    elif result.HasField("sun_sky"):
        sun = result.sun_sky
        sun.turbidity = sun_sky.turbidity(sun)
        sun.sun_diameter_deg = sun_sky.sun_diameter_deg(sun)
        sun.sky_scale = sun_sky.sky_scale(sun)
        sun.sun_scale = sun_sky.sun_scale(sun)
    return result


def scaled(source: light_pb2.LightSource, factor: float) -> light_pb2.LightSource:
    """Return the source at `factor` (above 0) of its intensity."""
    result = light_pb2.LightSource()
    result.CopyFrom(source)
    match result.WhichOneof("kind"):
        case "directional":
            result.directional.irradiance *= factor
        case "area":
            result.area.irradiance *= factor
        case "environment_map":
            result.environment_map.exposure_ev += math.log2(factor)
        case "background":
            result.background.exposure_ev += math.log2(factor)
        case "spherical_harmonics":
            values = source.spherical_harmonics.coefficients
            result.spherical_harmonics.coefficients[:] = [value * factor for value in values]
        case "sun_sky":
            result.sun_sky.sky_scale = factor * sun_sky.sky_scale(source.sun_sky)
            result.sun_sky.sun_scale = factor * sun_sky.sun_scale(source.sun_sky)
    return result
