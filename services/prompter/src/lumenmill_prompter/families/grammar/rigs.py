"""Lamps and parallel light: a key with its fill, its rim light or the sky, none of which outshines it.

Strengths of further sources follow from what each gives on the camera's side (see lumenmill_prompter.levels).
"""

import math
from collections.abc import Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill_light import build
from lumenmill_light.axes import circular_difference_deg, wrap_deg
from lumenmill_prompter.families.grammar.colors import Color, is_gel, lamp_color, light_color
from lumenmill_prompter.families.grammar.light_space import AREA, DIRECTIONAL, LightSpace
from lumenmill_prompter.families.grammar.numbers import Choice
from lumenmill_prompter.families.grammar.strata import elevation_at, hardness_at
from lumenmill_prompter.levels import facing_share
from lumenmill_prompter.sky import sky_beside

__all__ = ["rig"]

# Angular diameters in degrees of hard, medium and soft sources.
_DIAMETERS = {"hard": (0.4, 2.6), "medium": (5.0, 26.0), "soft": (34.0, 70.0)}
_MAX_DIAMETER_BEHIND_DEG = 40.0
_KEY_IRRADIANCE = math.pi
# Of lamps that may stand behind the subject; lower ones come from the camera's side.
_LOWEST_BEHIND_DEG, _LAMP_BACK_SHARE, _FRONT_DEG = 30.0, 0.6, 110.0
_RIM_SIDE_DEG, _RIM_ELEVATION_DEG = (122.0, 148.0), (40.0, 58.0)
# What further sources give on the camera's side, by what the key gives there. Gels have neutral light of at least a
# quarter of the whole beside them.
_FILL_SHARE, _RIM_SHARE, _SKY_SHARE, _BESIDE_GEL_SHARE = (0.1, 0.35), (0.25, 0.55), (0.25, 0.5), (0.36, 0.58)
_MAX_IRRADIANCE_BESIDE_KEY = 0.9


def rig(
    kind: "light_pb2.LightKind.ValueType", point: Sequence[float], space: LightSpace, choice: Choice, soft_share: float
) -> list[light_pb2.LightSource]:
    """Return a key alone, a key with a fill, or a key with a rim light; outdoors a key and the sky."""
    color = lamp_color(point[3], space)
    key = _key(kind, point, space, choice, soft_share, light_color(color))
    lamp = _lamp_of(key)
    if space.outdoor:
        share = choice.uniform(*(_BESIDE_GEL_SHARE if is_gel(color) else _SKY_SHARE))
        temperature_k = None if is_gel(color) else lamp.color.temperature_k
        return [key, sky_beside(key, temperature_k, share, choice.pick((2.5, 3.0, 4.0)))]
    second_kind = AREA if AREA in space.slots else kind
    across = -math.copysign(1.0, lamp.azimuth_deg)
    if is_gel(color):
        return [key, _fill(second_kind, across, lamp, _BESIDE_GEL_SHARE, (4300.0, 7500.0), space, choice)]
    if point[5] < 0.45:
        return [key]
    from_behind = circular_difference_deg(lamp.azimuth_deg, 180.0) < 65.0
    if point[5] < 0.75 or from_behind or second_kind != AREA or not space.surroundings.lamps_behind:
        return [key, _fill(second_kind, across, lamp, _FILL_SHARE, (2600.0, 9500.0), space, choice)]
    return [key, _rim(across, lamp, space, choice)]


def _key(
    kind: "light_pb2.LightKind.ValueType",
    point: Sequence[float],
    space: LightSpace,
    choice: Choice,
    soft_share: float,
    color: light_pb2.LightColor,
) -> light_pb2.LightSource:
    elevation = elevation_at(point[2])
    hardness, inside = hardness_at(point[4], soft_share)
    low, high = _DIAMETERS[hardness]
    diameter = low * (high / low) ** inside
    aspect = choice.pick((1.0, 1.0, 1.4, 3.5)) if 3.0 <= diameter < 30.0 else 1.0
    if kind == DIRECTIONAL:
        azimuth, elevation = space.parallel(point[1], elevation)
        return _directional(azimuth, elevation, diameter, _KEY_IRRADIANCE, color)
    azimuth = _lamp_azimuth(point[1], elevation, space)
    return _lamp(azimuth, elevation, diameter, _KEY_IRRADIANCE, color, space, aspect)


def _lamp_azimuth(value: float, elevation: float, space: LightSpace) -> float:
    """Spread [0, 1) over the azimuths of a lamp: all round outdoors, else from behind only above a height."""
    across = 2.0 * value - 1.0
    if space.outdoor:
        return across * 180.0
    if not space.surroundings.lamps_behind:
        return space.surroundings.turned_in(across * _FRONT_DEG, elevation)
    if elevation < _LOWEST_BEHIND_DEG:
        return across * _FRONT_DEG
    inside = 1.0 - _LAMP_BACK_SHARE
    if abs(across) < inside:
        return across / inside * _FRONT_DEG
    return math.copysign(_FRONT_DEG + (abs(across) - inside) / _LAMP_BACK_SHARE * (180.0 - _FRONT_DEG), across)


def _directional(
    azimuth: float, elevation: float, diameter: float, irradiance: float, color: light_pb2.LightColor
) -> light_pb2.LightSource:
    angles = round(wrap_deg(azimuth), 1), round(elevation, 1)
    return build.directional_light(*angles, round(min(diameter, 88.0), 2), irradiance, color)


def _lamp(
    azimuth: float,
    elevation: float,
    diameter: float,
    irradiance: float,
    color: light_pb2.LightColor,
    space: LightSpace,
    aspect: float = 1.0,
) -> light_pb2.LightSource:
    """Return a lamp of an angular diameter in degrees inside the set; `aspect` is its height by its width."""
    if circular_difference_deg(azimuth, 180.0) < 180.0 - _FRONT_DEG:
        diameter = min(diameter, _MAX_DIAMETER_BEHIND_DEG)
    elevation, distance = space.surroundings.lamp(azimuth, elevation, diameter)
    distance = round(distance, 3)
    width = 2.0 * distance * math.tan(math.radians(diameter / 2.0)) / math.sqrt(aspect)
    angles = round(wrap_deg(azimuth), 1), round(elevation, 1)
    return build.area_light(*angles, round(width, 4), round(width * aspect, 4), distance, irradiance, color)


def _lamp_of(source: light_pb2.LightSource) -> light_pb2.AreaLight | light_pb2.DirectionalLight:
    return source.area if source.HasField("area") else source.directional


def _beside(
    key: light_pb2.AreaLight | light_pb2.DirectionalLight, azimuth: float, elevation: float, share: float
) -> float:
    """Return the irradiance of a source that gives `share` of what the key gives on the camera's side."""
    ratio = share * facing_share(key.azimuth_deg, key.elevation_deg) / facing_share(azimuth, elevation)
    return key.irradiance * min(ratio, _MAX_IRRADIANCE_BESIDE_KEY)


def _fill(
    kind: "light_pb2.LightKind.ValueType",
    side: float,
    key: light_pb2.AreaLight | light_pb2.DirectionalLight,
    shares: tuple[float, float],
    kelvins: tuple[float, float],
    space: LightSpace,
    choice: Choice,
) -> light_pb2.LightSource:
    azimuth, elevation = round(side * choice.uniform(28.0, 65.0), 1), round(choice.uniform(12.0, 28.0), 1)
    diameter, share = choice.uniform(36.0, 60.0), choice.uniform(*shares)
    color = build.kelvin(round(choice.uniform(*kelvins)))
    if kind == AREA:
        return _lamp(azimuth, elevation, diameter, _beside(key, azimuth, elevation, share), color, space)
    azimuth = space.surroundings.turned_in(azimuth, elevation)
    return _directional(azimuth, elevation, diameter, _beside(key, azimuth, elevation, share), color)


def _rim(
    side: float, key: light_pb2.AreaLight | light_pb2.DirectionalLight, space: LightSpace, choice: Choice
) -> light_pb2.LightSource:
    azimuth, elevation = side * choice.uniform(*_RIM_SIDE_DEG), choice.uniform(*_RIM_ELEVATION_DEG)
    diameter, share = choice.uniform(4.0, 9.0), choice.uniform(*_RIM_SHARE)
    irradiance = _beside(key, round(azimuth, 1), round(elevation, 1), share)
    color = build.kelvin(round(choice.uniform(3000.0, 9000.0)))
    return _lamp(azimuth, elevation, diameter, irradiance, color, space)
