"""How strongly light falls on what the camera sees: on a white ball at the subject and on the ground under it.

By this measure the key is the strongest source of a rig, and a set's lights are as bright as each other: a light from
behind needs more irradiance than one from the front to look as bright.
"""

import math
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np

from lumenmill.common.v1 import light_pb2
from lumenmill_light import spherical_harmonics, sun_sky
from lumenmill_light.axes import direction, unit_vector
from lumenmill_light.color import LUMINANCE, luminance_of_one

__all__ = ["camera_side_irradiance", "facing_share"]


@lru_cache(maxsize=32768)
def facing_share(azimuth_deg: float, elevation_deg: float) -> float:
    """Return the mean irradiance, on the visible half of the ball and the ground, of light of irradiance 1.

    The picture of a white ball under parallel light at angle α to the camera has the mean 2/3 · ((π − α) cos α + sin α)
    / π (Lambert's phase law).
    """
    x, y, z = direction(azimuth_deg, elevation_deg)
    alpha = math.acos(min(max(z, -1.0), 1.0))
    ball = 2.0 / 3.0 * ((math.pi - alpha) * z + math.sin(alpha)) / math.pi
    return 0.5 * (ball + max(y, 0.0))


def camera_side_irradiance(source: light_pb2.LightSource) -> float | None:
    """Return the same mean for a source; None for maps and backgrounds, whose pixels are not read here."""
    match source.WhichOneof("kind"):
        case "area":
            return source.area.irradiance * facing_share(source.area.azimuth_deg, source.area.elevation_deg)
        case "directional":
            lamp = source.directional
            return lamp.irradiance * facing_share(lamp.azimuth_deg, lamp.elevation_deg)
        case "sun_sky":
            return _of_daylight(source.sun_sky)
        case "spherical_harmonics":
            table = source.spherical_harmonics.coefficients
            weights = _harmonic_weights()
            channels = (table[:9], table[9:18], table[18:])
            return max(luminance_of_one([sum(w * c for w, c in zip(weights, row, strict=True)) for row in channels]), 0.0)
        case _:
            return None


def _of_daylight(light: light_pb2.SunSkyLight) -> float:
    turbidity, sun_scale = sun_sky.turbidity(light), sun_sky.sun_scale(light)
    sky = _sky(round(light.sun_azimuth_deg / 10.0) * 10, round(light.sun_elevation_deg), turbidity)
    level = sun_sky.sky_scale(light) * sky
    if sun_scale > 0.0:
        facing = _sun(round(light.sun_elevation_deg, 1), turbidity)
        level += sun_scale * facing * facing_share(light.sun_azimuth_deg, light.sun_elevation_deg)
    return level


@lru_cache(maxsize=8192)
def _sun(elevation_deg: float, turbidity: float) -> float:
    return luminance_of_one(sun_sky.sun_irradiance(elevation_deg, turbidity).tolist())


@lru_cache(maxsize=16384)
def _sky(azimuth_deg: int, elevation_deg: int, turbidity: float) -> float:
    levels = LUMINANCE @ sun_sky.sky_harmonics(elevation_deg, turbidity, azimuth_deg)
    return max(float(levels @ np.array(_harmonic_weights())), 0.0)


@cache
def _harmonic_weights() -> Sequence[float]:
    """What unit coefficients of radiance give: the ball's picture blurs them by the cosine once more than the ground."""
    up, toward_camera = (spherical_harmonics.basis(vector) for vector in (unit_vector(0.0, 90.0), unit_vector(0.0, 0.0)))
    blur = np.array([math.pi, *[2.0 * math.pi / 3.0] * 3, *[math.pi / 4.0] * 5])
    return tuple((0.5 * (blur * blur / math.pi * toward_camera + blur * up)).tolist())
