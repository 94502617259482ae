"""The sky beside the lamps and the parallel light of an outdoor set, which would else stand under a black one."""

import math
from collections.abc import Iterable

from lumenmill.common.v1 import light_pb2
from lumenmill_light import build
from lumenmill_light.sun_sky import sky_scale
from lumenmill_prompter.levels import camera_side_irradiance, daylight_irradiance

__all__ = ["has_sky", "sky_beside"]

# Warm light has the sky of a low sun, other light that of one high enough for blue.
_WARM_BELOW_K = 4200.0
_LOW_SUN_DEG, _HIGH_SUN_DEG, _ELEVATION_STEP_DEG = (5.0, 12.0), (18.0, 60.0), 4


def has_sky(sources: Iterable[light_pb2.LightSource]) -> bool:
    """Whether one of the sources surrounds the scene, so that a sky is seen above it."""
    return any(
        sky_scale(source.sun_sky) > 0.0
        if source.HasField("sun_sky")
        else source.WhichOneof("kind") in {"environment_map", "spherical_harmonics"}
        for source in sources
    )


def sky_beside(
    key: light_pb2.LightSource, temperature_k: float | None, share: float, turbidity: float = 3.0
) -> light_pb2.LightSource:
    """Return a sky without sun that gives about `share` of what the key gives on the camera's side.

    Args:
        key: an area or a directional light.
        temperature_k: that of the key; None for coloured light.
        share: camera-side irradiance of the sky over that of the key, met to a quarter of a stop.
        turbidity: of the air.
    """
    lamp = key.area if key.HasField("area") else key.directional
    low, high = _LOW_SUN_DEG if temperature_k is not None and temperature_k < _WARM_BELOW_K else _HIGH_SUN_DEG
    elevation = float(round(min(max(lamp.elevation_deg, low), high) / _ELEVATION_STEP_DEG) * _ELEVATION_STEP_DEG)
    azimuth = float(round(lamp.azimuth_deg))
    scale = share * (camera_side_irradiance(key) or 0.0) / daylight_irradiance(azimuth, elevation, turbidity, 0.0, 1.0)
    # Few different skies, whose attributes are derived once.
    stepped = 2.0 ** (round(4.0 * math.log2(scale)) / 4.0) if scale > 0.0 else 0.0
    return build.sun_sky_light(azimuth, elevation, turbidity, 0.0, stepped, 0.53)
