"""Sun and sky of SunSkyLight as they are rendered: a table of Mitsuba's `sunsky` (Hosek and Wilkie, 2012 and 2013).

Irradiance is in the units of light.proto; a surface that faces a clear noon sun is near π, sky not counted. The table
is written by services/light/tools/tabulate_sun_sky.py.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np

from lumenmill.common.v1 import light_pb2
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import LUMINANCE, Array, luminance_of_one, temperature_of_white
from lumenmill_light.hardness import hardness_of_size
from lumenmill_light.spherical_harmonics import irradiance, rotated

__all__ = [
    "DAYLIGHT_SCALE",
    "MIN_SUN_SHARE",
    "MIN_TURBIDITY",
    "SUN_DIAMETER_DEG",
    "Daylight",
    "daylight",
    "sky_harmonics",
    "sky_scale",
    "sun_diameter_deg",
    "sun_irradiance",
    "sun_scale",
    "turbidity",
]

DAYLIGHT_SCALE = 2.0
"""What Mitsuba's radiance of sun and sky is multiplied by."""
MIN_TURBIDITY, _DEFAULT_TURBIDITY, SUN_DIAMETER_DEG = 1.0, 3.0, 0.53
MIN_SUN_SHARE = 0.02
"""A sun that gives less than this part of the daylight is not seen in it."""
# A sun that gives less than this part of the daylight is softened in proportion.
_HARD_SUN_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Daylight:
    """One SunSkyLight, its scales and defaults applied.

    Attributes:
        rgb: irradiance (3,) of sun and sky on a surface that faces the sun, or the sky's brightest side without a sun.
        temperature_k: correlated temperature of it; None for darkness and for a sky too blue for one.
        sun_share: part of its luminance that the sun gives, 0 to 1.
    """

    rgb: tuple[float, float, float]
    temperature_k: float | None
    sun_share: float
    diameter_deg: float

    @property
    def has_sun(self) -> bool:
        """Whether the light has a direction: that of the sun."""
        return self.sun_share >= MIN_SUN_SHARE

    @property
    def hardness(self) -> float:
        """Hardness of the disc, softened where the sky gives much of the light; 0 without a sun."""
        return min(self.sun_share / _HARD_SUN_SHARE, 1.0) * hardness_of_size(self.diameter_deg) if self.has_sun else 0.0


def sun_scale(light: light_pb2.SunSkyLight) -> float:
    """Return the factor on the sun's radiance; 1 where it is not set."""
    return light.sun_scale if light.HasField("sun_scale") else 1.0


def sky_scale(light: light_pb2.SunSkyLight) -> float:
    """Return the factor on the sky's radiance; 1 where it is not set."""
    return light.sky_scale if light.HasField("sky_scale") else 1.0


def turbidity(light: light_pb2.SunSkyLight) -> float:
    """Return the turbidity in effect, 1 to 10; 3 where it is not set."""
    return max(light.turbidity or _DEFAULT_TURBIDITY, MIN_TURBIDITY)


def sun_diameter_deg(light: light_pb2.SunSkyLight) -> float:
    """Return the angular diameter of the disc in degrees; that of the real sun where it is not set."""
    return light.sun_diameter_deg or SUN_DIAMETER_DEG


def sun_irradiance(elevation_deg: float, turbidity: float) -> Array:
    """Return the irradiance (3,) of the sun's disc on a surface that faces it."""
    return np.array(_irradiances(elevation_deg, turbidity)[_SUN])


def sky_harmonics(elevation_deg: float, turbidity: float, azimuth_deg: float = 0.0) -> Array:
    """Return the radiance of the sky as spherical harmonics (3, 9), the sun standing at `azimuth_deg`."""
    sky = _tables().sky
    corners = _corners(elevation_deg, turbidity)
    coefficients = np.sum([weight * sky[row, column] for weight, row, column in corners], axis=0)
    return rotated(coefficients, azimuth_deg) if azimuth_deg else np.asarray(coefficients)


def daylight(light: light_pb2.SunSkyLight) -> Daylight:
    """Return what the light gives on the subject."""
    return _daylight(
        light.sun_elevation_deg, turbidity(light), sun_scale(light), sky_scale(light), sun_diameter_deg(light)
    )


@lru_cache(maxsize=8192)
def _daylight(elevation_deg: float, turbidity: float, sun_scale: float, sky_scale: float, size_deg: float) -> Daylight:
    values = _irradiances(elevation_deg, turbidity)
    sun = [sun_scale * value for value in values[_SUN]]
    sky = [sky_scale * value for value in values[_SKY_FACING_SUN]]
    sun_level, sky_level = luminance_of_one(sun), luminance_of_one(sky)
    share = sun_level / (sun_level + sky_level) if sun_level > 0.0 else 0.0
    if share < MIN_SUN_SHARE:
        sky = [sky_scale * value for value in values[_SKY_BRIGHTEST]]
    rgb = (sun[0] + sky[0], sun[1] + sky[1], sun[2] + sky[2])
    return Daylight(rgb, temperature_of_white(rgb), share, size_deg)


_SUN, _SKY_FACING_SUN, _SKY_BRIGHTEST = slice(0, 3), slice(3, 6), slice(6, 9)


class _Tables(NamedTuple):
    """Values at turbidities 1 to 10 and E elevations.

    Attributes:
        roots: cube roots of the elevations (E,), in which the plugin's polynomials are spaced.
        irradiances: irradiance [10][E][9], by the slices above.
        sky: spherical harmonics (10, E, 3, 9) of the sky when the sun stands at azimuth 0.
    """

    roots: list[float]
    irradiances: list[list[list[float]]]
    sky: Array


@cache
def _tables() -> _Tables:
    with resources.files(__package__).joinpath("sun_sky.npz").open("rb") as file, np.load(file) as stored:
        elevations, sun, sky = stored["elevation_deg"], stored["sun_irradiance"], stored["sky_harmonics"]
    # The sky is symmetrical about the plane of sun and zenith, so that its brightest side lies in it.
    meridian = np.stack([unit_vector(0.0, angle) for angle in range(0, 181, 3)])
    facing, brightest = np.zeros_like(sun), np.zeros_like(sun)
    for row, column in np.ndindex(sun.shape[:2]):
        toward = np.concatenate([unit_vector(0.0, elevations[column])[None], meridian])
        lit = np.maximum(irradiance(sky[row, column], toward), 0.0)
        facing[row, column], brightest[row, column] = lit[0], lit[1 + int(np.argmax(lit[1:] @ LUMINANCE))]
    irradiances = np.concatenate([sun, facing, brightest], axis=-1)
    return _Tables(np.cbrt(elevations).tolist(), irradiances.tolist(), sky)


def _corners(elevation_deg: float, turbidity: float) -> list[tuple[float, int, int]]:
    """Weight, row and column of the four entries around an elevation and a turbidity, for linear interpolation."""
    roots, root = _tables().roots, max(elevation_deg, 0.0) ** (1.0 / 3.0)
    column = min(max(bisect_right(roots, root) - 1, 0), len(roots) - 2)
    right = min(max((root - roots[column]) / (roots[column + 1] - roots[column]), 0.0), 1.0)
    row = min(max(int(turbidity), 1), 9) - 1
    below = min(turbidity - 1.0 - row, 1.0)
    return [
        ((1.0 - below) * (1.0 - right), row, column),
        ((1.0 - below) * right, row, column + 1),
        (below * (1.0 - right), row + 1, column),
        (below * right, row + 1, column + 1),
    ]


def _irradiances(elevation_deg: float, turbidity: float) -> list[float]:
    """Irradiances (9,) at an elevation and a turbidity, by the slices above."""
    table = _tables().irradiances
    (a, ra, ca), (b, rb, cb), (c, rc, cc), (d, rd, cd) = _corners(elevation_deg, turbidity)
    entries = zip(table[ra][ca], table[rb][cb], table[rc][cc], table[rd][cd], strict=True)
    return [a * first + b * second + c * third + d * fourth for first, second, third, fourth in entries]
