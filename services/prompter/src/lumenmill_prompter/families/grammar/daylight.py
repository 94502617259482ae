"""Daylight of the grammar: the sun's height gives the colour, or how much of the light the sky gives."""

import bisect
import functools
from collections.abc import Sequence
from typing import NamedTuple

from lumenmill.common.v1 import light_pb2
from lumenmill_light import build
from lumenmill_light.source_attributes import source_attributes
from lumenmill_prompter.families.grammar.colors import TEMPERATURE_STRATA
from lumenmill_prompter.families.grammar.light_space import LightSpace
from lumenmill_prompter.families.grammar.numbers import Choice
from lumenmill_prompter.families.grammar.strata import hardness_at, stratum_at
from lumenmill_prompter.levels import daylight_irradiance

__all__ = ["daylight_source"]


class _Weather(NamedTuple):
    """Turbidities, factors of the sun's disc and of the sky, lowest elevation of the sun, kelvin of the stratum."""

    turbidities: tuple[float, ...]
    sun_scale: float
    sky_scale: float
    lowest_deg: float
    kelvin: tuple[float, float]


# Daylight of each stratum of colour. Low suns are warm, the warmer the darker the sky, high ones are white; a veiled or
# absent sun leaves the cool light of the sky.
_VEILED = (
    _Weather((2.5, 3.0, 4.0), 0.35, 1.0, 15.0, TEMPERATURE_STRATA[4]),
    _Weather((2.5, 3.0, 4.0), 0.07, 1.0, 15.0, TEMPERATURE_STRATA[5]),
    _Weather((2.5, 3.0), 0.0, 1.0, 15.0, TEMPERATURE_STRATA[6]),
)
_INDOOR = (
    _Weather((2.5, 3.0), 1.0, 0.1, 0.5, TEMPERATURE_STRATA[0]),
    _Weather((2.5, 3.0, 4.0), 1.0, 0.15, 0.5, TEMPERATURE_STRATA[1]),
    _Weather((2.5, 3.0, 4.0), 1.0, 0.3, 0.5, TEMPERATURE_STRATA[2]),
    _Weather((2.5, 3.0), 1.0, 0.8, 4.0, TEMPERATURE_STRATA[3]),
    *_VEILED,
)
# Where hills hide the lowest sun and the sky is in the picture, three strata share what is left of the warm light.
_OPEN_AIR_WARM_K = ((2850.0, 3150.0), (3150.0, 3600.0), (3600.0, 4150.0))
_OPEN_AIR = (
    *(_Weather((2.5, 3.0, 4.0, 6.0), 1.0, 0.5, 0.5, kelvin) for kelvin in _OPEN_AIR_WARM_K),
    _Weather((2.5, 3.0), 1.0, 0.8, 4.0, TEMPERATURE_STRATA[3]),
    *_VEILED,
)
_FIRST_VEILED, _FIRST_SUNLESS = 5, 6
_HIDDEN_BELOW_DEG = 5.0
_MAX_SUN_ELEVATION_DEG = 65.0
# Turns daylight's seven strata of colour so that warm daylight and other warm light, and likewise cool, have more than
# a third of all values in common: of three lights a third apart, whatever their kinds, one is warm and one is cool.
_OFFSET = 1.0 / 12.0


def daylight_source(
    point: Sequence[float], space: LightSpace, choice: Choice, soft_share: float, may_be_sunless: bool
) -> tuple[light_pb2.LightSource, float]:
    """Return daylight of the stratum of colour at a point of the unit cube, and its camera-side irradiance."""
    stratum, inside = stratum_at((point[3] - _OFFSET) % 1.0, len(TEMPERATURE_STRATA))
    if not may_be_sunless:
        stratum = min(stratum, _FIRST_SUNLESS - 1)
    weather = (_OPEN_AIR if space.surroundings.lowest_deg >= _HIDDEN_BELOW_DEG else _INDOOR)[stratum]
    turbidity = choice.pick(weather.turbidities)
    azimuth = space.sun_azimuth(point[1])
    lowest = max(weather.lowest_deg, space.surroundings.lowest_at(azimuth))
    temperatures, elevations = _sun_table(turbidity, weather.sun_scale, weather.sky_scale, lowest)
    first, last = max(weather.kelvin[0], temperatures[0]), min(weather.kelvin[1], temperatures[-1])
    elevation = _sun_elevation_deg(temperatures, elevations, first + max(last - first, 0.0) * inside)
    hardness, inside_hardness = hardness_at(point[4], soft_share)
    crisp = hardness == "hard" or (hardness == "soft" and inside_hardness < 0.5)
    diameter = 18.0 if stratum >= _FIRST_VEILED else 0.53 if crisp else 6.0
    azimuth = round(azimuth, 1)
    scales = weather.sun_scale, weather.sky_scale
    level = daylight_irradiance(azimuth, elevation, turbidity, *scales)
    return build.sun_sky_light(azimuth, elevation, turbidity, *scales, diameter), level


@functools.cache
def _sun_table(
    turbidity: float, sun_scale: float, sky_scale: float, lowest_deg: float
) -> tuple[list[float], list[float]]:
    """Temperatures of the daylight and elevations of the sun in steps of half a degree, both rising."""
    temperatures: list[float] = []
    elevations = [half / 2.0 for half in range(round(lowest_deg * 2), round(_MAX_SUN_ELEVATION_DEG * 2) + 1)]
    for elevation in elevations:
        source = build.sun_sky_light(0.0, elevation, turbidity, sun_scale, sky_scale, 0.53)
        kelvin = source_attributes(source).temperature_k or 0.0
        temperatures.append(max([kelvin, *temperatures[-1:]]))
    return temperatures, elevations


def _sun_elevation_deg(temperatures: list[float], elevations: list[float], temperature_k: float) -> float:
    """Where the table reaches a temperature, between two of its rows, to a tenth of a degree."""
    after = min(max(bisect.bisect_left(temperatures, temperature_k), 1), len(temperatures) - 1)
    below, above = temperatures[after - 1], temperatures[after]
    share = (temperature_k - below) / (above - below) if above > below else 1.0
    return round(elevations[after - 1] + (elevations[after] - elevations[after - 1]) * min(max(share, 0.0), 1.0), 1)
