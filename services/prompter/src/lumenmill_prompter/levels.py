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

__all__ = ["camera_side_irradiance", "daylight_irradiance", "facing_share", "smooth_share"]


def facing_share(azimuth_deg: float, elevation_deg: float) -> float:
    """Return the mean irradiance, on the visible half of the ball and the ground, of light of irradiance 1.

    The picture of a white ball under parallel light at angle α to the camera has the mean 2/3 · ((π − α) cos α + sin α)
    / π (Lambert's phase law).
    """
    elevation = math.radians(elevation_deg)
    z = math.cos(elevation) * math.cos(math.radians(azimuth_deg))
    ball = 2.0 / 3.0 * ((math.pi - math.acos(z)) * z + math.sqrt(1.0 - z * z)) / math.pi
    return 0.5 * (ball + max(math.sin(elevation), 0.0))


def smooth_share(azimuth_deg: float, elevation_deg: float, directionality: float) -> float:
    """Return the same mean of `build.spherical_harmonics_light` of mean irradiance 1.

    Band l of radiance is irradiance by the factors 1, 2/3 and 1/4 of π; the picture of the ball has them squared.
    """
    _, y, z = direction(azimuth_deg, elevation_deg)
    linear, quadratic = 0.9 * directionality, 0.35 * directionality
    ball = 1.0 + 4.0 / 9.0 * linear * z + 1.0 / 16.0 * quadratic * (1.5 * z * z - 0.5)
    ground = 1.0 + 2.0 / 3.0 * linear * y + 0.25 * quadratic * (1.5 * y * y - 0.5)
    return 0.5 * (ball + ground)


def camera_side_irradiance(source: light_pb2.LightSource) -> float | None:
    """Return the same mean for a source; None for maps and backgrounds, whose pixels are not read here."""
    match source.WhichOneof("kind"):
        case "area":
            return source.area.irradiance * facing_share(source.area.azimuth_deg, source.area.elevation_deg)
        case "directional":
            lamp = source.directional
            return lamp.irradiance * facing_share(lamp.azimuth_deg, lamp.elevation_deg)
        case "sun_sky":
            light = source.sun_sky
            scales = sun_sky.sun_scale(light), sun_sky.sky_scale(light)
            return daylight_irradiance(
                light.sun_azimuth_deg, light.sun_elevation_deg, sun_sky.turbidity(light), *scales
            )
        case "spherical_harmonics":
            table = source.spherical_harmonics.coefficients
            weights = _harmonic_weights()
            channels = (table[:9], table[9:18], table[18:])
            return max(
                luminance_of_one([sum(w * c for w, c in zip(weights, row, strict=True)) for row in channels]), 0.0
            )
        case _:
            return None


def daylight_irradiance(
    azimuth_deg: float, elevation_deg: float, turbidity: float, sun_scale: float, sky_scale: float
) -> float:
    """Return the same mean for daylight, by the parameters of SunSkyLight."""
    even, once, twice = _sky(round(elevation_deg), turbidity)
    turn = math.cos(math.radians(azimuth_deg))
    level = sky_scale * (even + once * turn + twice * (2.0 * turn * turn - 1.0))
    if sun_scale > 0.0:
        level += sun_scale * _sun(round(elevation_deg, 1), turbidity) * facing_share(azimuth_deg, elevation_deg)
    return level


@lru_cache(maxsize=8192)
def _sun(elevation_deg: float, turbidity: float) -> float:
    return luminance_of_one(sun_sky.sun_irradiance(elevation_deg, turbidity).tolist())


@lru_cache(maxsize=1024)
def _sky(elevation_deg: int, turbidity: float) -> tuple[float, float, float]:
    """Return the parts that are the same for all azimuths of the sun and that go with cos a and cos 2a.

    Order-2 harmonics of a sky that is symmetrical about the sun have no others.
    """
    weights = np.array(_harmonic_weights())
    front, side, back = (
        float(LUMINANCE @ sun_sky.sky_harmonics(elevation_deg, turbidity, azimuth) @ weights)
        for azimuth in (0, 90, 180)
    )
    even = (front + back + 2.0 * side) / 4.0
    return even, (front - back) / 2.0, even - side


@cache
def _harmonic_weights() -> Sequence[float]:
    """Return what unit coefficients of radiance give; the picture of the ball blurs them by the cosine once more."""
    up, toward_camera = (
        spherical_harmonics.basis(vector) for vector in (unit_vector(0.0, 90.0), unit_vector(0.0, 0.0))
    )
    blur = np.array([math.pi, *[2.0 * math.pi / 3.0] * 3, *[math.pi / 4.0] * 5])
    return tuple((0.5 * (blur * blur / math.pi * toward_camera + blur * up)).tolist())
