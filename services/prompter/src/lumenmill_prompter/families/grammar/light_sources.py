"""Sources of light at a point of a low-discrepancy sequence.

Every light is one point over kind × azimuth × elevation × colour × hardness × rig × level.

Before a backdrop or in a room, light from behind is blocked by the wall unless it comes from high up: there all but
high lights come from within 110° of the camera's side.
"""

import bisect
import functools
import math
from collections.abc import Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill_light import build
from lumenmill_light.attributes import source_attributes
from lumenmill_light.axes import circular_difference_deg, wrap_deg
from lumenmill_light.color import temperature_rgb
from lumenmill_light.vocabulary import GEL_COLORS
from lumenmill_prompter.families.grammar.light_space import AREA, DIRECTIONAL, SUN_SKY, LightSpace
from lumenmill_prompter.families.grammar.numbers import Choice

__all__ = ["FRONT_DEG", "SOFT_ALONE", "SOFT_BESIDE_HARMONICS", "sources_at"]

# Kelvin of the seven strata of white light; the eighth stratum is coloured gels.
_TEMPERATURE_STRATA = (
    (1900.0, 2240.0),
    (2300.0, 2980.0),
    (3100.0, 4150.0),
    (4300.0, 5150.0),
    (5300.0, 6850.0),
    (7000.0, 9300.0),
    (9800.0, 15000.0),
)
# Angular diameters in degrees of hard, medium and soft sources.
_DIAMETERS = {"hard": (0.4, 2.6), "medium": (5.0, 26.0), "soft": (34.0, 70.0)}
_ELEVATIONS = ((0.3, 3.0, 12.0), (0.7, 15.0, 46.0), (0.92, 50.0, 68.0), (1.0, 74.0, 86.0))
# Indoors, lights at or above this elevation come from all sides, six tenths of them from behind, others from the front.
OVER_WALLS_DEG, FRONT_DEG = 50.0, 110.0
_BACK_SHARE = 0.6
_RIM_SIDE_DEG, _RIM_ELEVATION_DEG = (122.0, 148.0), (46.0, 58.0)
KEY_IRRADIANCE = math.pi


def sources_at(
    kind: "light_pb2.LightKind.ValueType",
    point: Sequence[float],
    space: LightSpace,
    choice: Choice,
    soft_share: float,
    may_be_sunless: bool,
) -> list[light_pb2.LightSource]:
    """Return the sources of a light of a kind at a point of the unit cube.

    Args:
        kind: kind of light, one of WRITABLE_KINDS.
        point: coordinates 0 to 1, in the order of this module's head.
        space: what the request and the scene allow.
        choice: picks among rigs of equal meaning.
        soft_share: part of area and directional lights that are soft, 0 to 1.
        may_be_sunless: whether daylight may be the sky's alone.
    """
    match kind:
        case light_pb2.LIGHT_KIND_ENVIRONMENT_MAP:
            chosen = space.environment_maps[int(point[3] * len(space.environment_maps))]
            exposure = (-1.0, 0.0, 0.0, 1.0)[int(point[6] * 4)]
            return [build.environment_light(chosen, round(point[1] * 360.0 - 180.0, 1), exposure)]
        case light_pb2.LIGHT_KIND_SUN_SKY:
            return [_sun_sky(point, space, choice, soft_share, may_be_sunless)]
        case light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS:
            return [_harmonics(point, space)]
        case _:
            return _rig(kind, point, space, choice, soft_share)


def _azimuth(value: float, elevation: float, space: LightSpace) -> float:
    """Spread [0, 1) over the azimuths that a light of this elevation may have, in degrees from −180 to 180."""
    if space.outdoor:
        return value * 360.0 - 180.0
    if elevation < OVER_WALLS_DEG:
        return (2.0 * value - 1.0) * FRONT_DEG
    across = 2.0 * value - 1.0
    inside = 1.0 - _BACK_SHARE
    if abs(across) < inside:
        return across / inside * FRONT_DEG
    return math.copysign(FRONT_DEG + (abs(across) - inside) / _BACK_SHARE * (180.0 - FRONT_DEG), across)


def _stratum(value: float, num: int) -> tuple[int, float]:
    """Return the stratum of a number in [0, 1) and where it lies inside it, again in [0, 1)."""
    scaled = value * num
    stratum = min(int(scaled), num - 1)
    return stratum, scaled - stratum


def _color(value: float, space: LightSpace) -> float | tuple[float, float, float]:
    """Return a colour temperature in kelvin, or a gel as linear Rec. 709.

    Gels are an eighth of all colours; since daylight has none, other lights have more of them beside daylight.
    """
    gel_share = 1.0 / 6.0 if SUN_SKY in space.slots else 1.0 / 8.0
    if value < gel_share:
        gels = tuple(GEL_COLORS.values())
        return gels[int(value / gel_share * len(gels))]
    stratum, inside = _stratum((value - gel_share) / (1.0 - gel_share), len(_TEMPERATURE_STRATA))
    low, high = _TEMPERATURE_STRATA[stratum]
    return round(low + (high - low) * inside)


def _light_color(color: float | tuple[float, float, float]) -> light_pb2.LightColor:
    return build.rgb(color) if isinstance(color, tuple) else build.kelvin(color)


# Soft lamps are rarer where harmonics, which are soft too, are allowed.
SOFT_BESIDE_HARMONICS, SOFT_ALONE = 1.0 / 9.0, 1.0 / 3.0


def _hardness(value: float, soft: float) -> tuple[str, float]:
    """Hard, medium or soft, and where in that stratum; medium and hard share evenly what `soft` leaves."""
    middle = (1.0 + soft) / 2.0
    if value < soft:
        return "soft", value / soft
    if value < middle:
        return "medium", (value - soft) / (middle - soft)
    return "hard", (value - middle) / (1.0 - middle)


def _elevation(value: float) -> float:
    start = 0.0
    for end, low, high in _ELEVATIONS:
        if value < end:
            return low + (high - low) * (value - start) / (end - start)
        start = end
    return _ELEVATIONS[-1][2]


def _level_ev(value: float) -> float:
    if value < 0.2:
        return -1.6 + 2.0 * value
    return 1.2 + 3.0 * (value - 0.8) if value >= 0.8 else -0.5 + 1.8 * (value - 0.2)


def _emitter(
    kind: "light_pb2.LightKind.ValueType",
    azimuth: float,
    elevation: float,
    diameter: float,
    irradiance: float,
    color: light_pb2.LightColor,
    aspect: float = 1.0,
) -> light_pb2.LightSource:
    """Return an area or directional source of the given angular diameter in degrees; `aspect` is height by width."""
    azimuth, elevation = round(wrap_deg(azimuth), 1), round(elevation, 1)
    if kind == DIRECTIONAL:
        return build.directional_light(azimuth, elevation, round(min(diameter, 88.0), 2), irradiance, color)
    distance = 4.0
    width = 2.0 * distance * math.tan(math.radians(diameter / 2.0)) / math.sqrt(aspect)
    return build.area_light(azimuth, elevation, round(width, 3), round(width * aspect, 3), distance, irradiance, color)


def _rig(
    kind: "light_pb2.LightKind.ValueType", point: Sequence[float], space: LightSpace, choice: Choice, soft_share: float
) -> list[light_pb2.LightSource]:
    """Return a key alone, a key with a fill, or a key with a rim light."""
    elevation = _elevation(point[2])
    azimuth = _azimuth(point[1], elevation, space)
    hardness, inside = _hardness(point[4], soft_share)
    low, high = _DIAMETERS[hardness]
    diameter = low * (high / low) ** inside
    irradiance = KEY_IRRADIANCE * 2.0 ** _level_ev(point[6])
    aspect = choice.pick((1.0, 1.0, 1.4, 3.5)) if 3.0 <= diameter < 30.0 else 1.0
    key = _emitter(kind, azimuth, elevation, diameter, irradiance, _light_color(_color(point[3], space)), aspect)
    if point[5] < 0.45:
        return [key]
    from_behind = circular_difference_deg(azimuth, 180.0) < 65.0
    second_kind = kind if space.outdoor or AREA not in space.slots else AREA
    across = -math.copysign(1.0, wrap_deg(azimuth))
    if point[5] < 0.75 or from_behind:
        return [key, _fill(second_kind, across, irradiance, choice)]
    rim = _emitter(
        second_kind,
        across * choice.uniform(*_RIM_SIDE_DEG),
        choice.uniform(20.0, 42.0) if space.outdoor else choice.uniform(*_RIM_ELEVATION_DEG),
        choice.uniform(4.0, 9.0),
        irradiance * choice.uniform(0.45, 0.95),
        build.kelvin(round(choice.uniform(3000.0, 9000.0))),
    )
    return [key, rim]


def _fill(
    kind: "light_pb2.LightKind.ValueType", side: float, key_irradiance: float, choice: Choice
) -> light_pb2.LightSource:
    return _emitter(
        kind,
        side * choice.uniform(28.0, 65.0),
        choice.uniform(8.0, 28.0),
        choice.uniform(36.0, 60.0),
        key_irradiance * choice.uniform(0.1, 0.35),
        build.kelvin(round(choice.uniform(2600.0, 9500.0))),
    )


def _harmonics(point: Sequence[float], space: LightSpace) -> light_pb2.LightSource:
    color = _color(point[3], space)
    linear = color if isinstance(color, tuple) else temperature_rgb(color).tolist()
    level = KEY_IRRADIANCE * 0.5 * 2.0 ** _level_ev(point[6])
    elevation = _elevation(point[2])
    azimuth = _azimuth(point[1], elevation, space)
    return build.spherical_harmonics_light(azimuth, elevation, 0.65 + 0.35 * point[4], level, linear)


# Daylight of each colour stratum: turbidities, share of the sun's disc, share of the sky, and the lowest elevation of
# the sun. Low suns under a dark sky are warm, high ones are white, a veiled or absent sun leaves the cool light of the
# sky.
_DAYLIGHTS: tuple[tuple[tuple[float, ...], float, float, float], ...] = (
    ((2.5, 3.0), 1.0, 0.1, 0.5),
    ((2.5, 3.0, 4.0), 1.0, 0.15, 0.5),
    ((2.5, 3.0, 4.0), 1.0, 0.3, 0.5),
    ((2.5, 3.0), 1.0, 0.8, 4.0),
    ((2.5, 3.0, 4.0), 0.35, 1.0, 15.0),
    ((2.5, 3.0, 4.0), 0.07, 1.0, 15.0),
    ((2.5, 3.0), 0.0, 1.0, 15.0),
)
_FIRST_VEILED_DAYLIGHT, _FIRST_SUNLESS_DAYLIGHT = 5, 6
_MAX_SUN_ELEVATION_DEG = 65.0
# Turns daylight's seven strata of colour so that warm daylight and other warm light, and likewise cool, have more than
# a third of all values in common: of three lights a third apart, whatever their kinds, one is warm and one is cool.
_DAYLIGHT_OFFSET = 1.0 / 12.0


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


def _sun_sky(
    point: Sequence[float], space: LightSpace, choice: Choice, soft_share: float, may_be_sunless: bool
) -> light_pb2.LightSource:
    """Daylight whose colour stratum is met by the sun's height, or by how much of the light the sky gives."""
    stratum, inside = _stratum((point[3] - _DAYLIGHT_OFFSET) % 1.0, len(_TEMPERATURE_STRATA))
    if not may_be_sunless:
        stratum = min(stratum, _FIRST_SUNLESS_DAYLIGHT - 1)
    low, high = _TEMPERATURE_STRATA[stratum]
    turbidities, sun_scale, sky_scale, lowest_deg = _DAYLIGHTS[stratum]
    turbidity = choice.pick(turbidities)
    temperatures, elevations = _sun_table(turbidity, sun_scale, sky_scale, lowest_deg)
    first, last = max(low, temperatures[0]), min(high, temperatures[-1])
    elevation = _sun_elevation_deg(temperatures, elevations, first + (last - first) * inside)
    hardness, inside_hardness = _hardness(point[4], soft_share)
    crisp = hardness == "hard" or (hardness == "soft" and inside_hardness < 0.5)
    diameter = 18.0 if stratum >= _FIRST_VEILED_DAYLIGHT else 0.53 if crisp else 6.0
    azimuth = _azimuth(point[1], elevation, space)
    return build.sun_sky_light(round(azimuth, 1), elevation, turbidity, sun_scale, sky_scale, diameter)
