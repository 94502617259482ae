"""Lamps and parallel light: a key with its fill, its rim light or the sky, none of which outshines it.

Strengths of further sources follow from what each gives on the camera's side (see lumenmill_prompter.levels).
"""

import math
from collections.abc import Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill_light import build
from lumenmill_light.axes import circular_difference_deg, wrap_deg
from lumenmill_prompter.families.grammar.colors import lamp_color, light_color
from lumenmill_prompter.families.grammar.light_space import AREA, DIRECTIONAL, LightSpace
from lumenmill_prompter.families.grammar.numbers import Choice
from lumenmill_prompter.families.grammar.strata import elevation_at, hardness_at
from lumenmill_prompter.families.grammar.strength import key_irradiance
from lumenmill_prompter.levels import facing_share
from lumenmill_prompter.sky import sky_beside

__all__ = ["key_at", "sources_beside"]

# Angular diameters in degrees of hard, medium and soft sources.
_DIAMETERS = {"hard": (0.4, 2.6), "medium": (5.0, 26.0), "soft": (34.0, 70.0)}
_MAX_DIAMETER_BEHIND_DEG = 40.0
# Of lamps that may stand behind the subject; lower ones come from the camera's side.
_LOWEST_BEHIND_DEG, _LAMP_BACK_SHARE, _FRONT_DEG = 30.0, 0.6, 110.0
_RIM_SIDE_DEG, _RIM_ELEVATION_DEG = (122.0, 148.0), (40.0, 58.0)
# What further sources give on the camera's side, by what the key gives there. Gels have neutral light of at least a
# quarter of the whole beside them.
_FILL_SHARE, _RIM_SHARE, _SKY_SHARE, _BESIDE_GEL_SHARE = (0.1, 0.35), (0.25, 0.55), (0.25, 0.5), (0.4, 0.55)
_MAX_IRRADIANCE_BESIDE_KEY = 0.9
_Lamp = light_pb2.AreaLight | light_pb2.DirectionalLight


def key_at(
    kind: "light_pb2.LightKind.ValueType",
    point: Sequence[float],
    space: LightSpace,
    choice: Choice,
    soft_share: float,
    level: float,
) -> tuple[light_pb2.LightSource, float]:
    """Return a lamp or parallel light at a point of the unit cube and what it gives on the camera's side.

    That is `level`, except where the key would have to be much stronger or weaker than usual.
    """
    elevation = elevation_at(point[2])
    hardness, inside = hardness_at(point[4], soft_share)
    low, high = _DIAMETERS[hardness]
    diameter = low * (high / low) ** inside
    aspect = choice.pick((1.0, 1.0, 1.4, 3.5)) if 3.0 <= diameter < 30.0 else 1.0
    color = light_color(lamp_color(point[3], space))
    if kind == DIRECTIONAL:
        azimuth, elevation = space.parallel(point[1], elevation)
        irradiance, level = key_irradiance(level, facing_share(azimuth, elevation))
        return _directional(azimuth, elevation, diameter, irradiance, color), level
    azimuth = _lamp_azimuth(point[1], elevation, space)
    irradiance, level = key_irradiance(level, facing_share(azimuth, elevation))
    irradiance *= space.surroundings.lamp_gain
    return _lamp(azimuth, elevation, diameter, irradiance, color, space, aspect), level


def sources_beside(
    key: light_pb2.LightSource, value: float, space: LightSpace, choice: Choice
) -> tuple[list[light_pb2.LightSource], float]:
    """Return the other sources of a rig and what they give on the camera's side, by what the key gives there.

    Outdoors, and beside parallel light in rooms with windows, it is the sky, else nothing, a fill or a rim light, as
    `value` in [0, 1) says; gels are never alone.
    """
    lamp = _lamp_of(key)
    is_gel = lamp.color.HasField("rgb")
    if space.surroundings.shows_sky and (space.outdoor or key.HasField("directional")):
        share = choice.uniform(*(_BESIDE_GEL_SHARE if is_gel else _SKY_SHARE))
        temperature_k = None if is_gel else lamp.color.temperature_k
        return [sky_beside(key, temperature_k, share, choice.pick((2.5, 3.0, 4.0)))], share
    if not is_gel and value < 0.45:
        return [], 0.0
    kind = AREA if AREA in space.slots else DIRECTIONAL
    across = -math.copysign(1.0, lamp.azimuth_deg)
    if is_gel:
        share = choice.uniform(*_BESIDE_GEL_SHARE)
        return [_fill(kind, across, lamp, share, (4300.0, 7500.0), space, choice)], share
    from_behind = circular_difference_deg(lamp.azimuth_deg, 180.0) < 65.0
    if value < 0.75 or from_behind or kind != AREA or not space.surroundings.lamps_behind:
        share = choice.uniform(*_FILL_SHARE)
        return [_fill(kind, across, lamp, share, (2600.0, 9500.0), space, choice)], share
    share = choice.uniform(*_RIM_SHARE)
    return [_rim(across, lamp, share, space, choice)], share


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


def _lamp_of(source: light_pb2.LightSource) -> _Lamp:
    return source.area if source.HasField("area") else source.directional


def _beside(key: _Lamp, azimuth: float, elevation: float, share: float) -> float:
    """Return the irradiance of a source that gives `share` of what the key gives on the camera's side."""
    ratio = share * facing_share(key.azimuth_deg, key.elevation_deg) / facing_share(azimuth, elevation)
    return key.irradiance * min(ratio, _MAX_IRRADIANCE_BESIDE_KEY)


def _fill(
    kind: "light_pb2.LightKind.ValueType",
    side: float,
    key: _Lamp,
    share: float,
    kelvins: tuple[float, float],
    space: LightSpace,
    choice: Choice,
) -> light_pb2.LightSource:
    azimuth, elevation = round(side * choice.uniform(28.0, 65.0), 1), round(choice.uniform(12.0, 28.0), 1)
    diameter = choice.uniform(36.0, 60.0)
    color = build.kelvin(round(choice.uniform(*kelvins)))
    if kind == AREA:
        return _lamp(azimuth, elevation, diameter, _beside(key, azimuth, elevation, share), color, space)
    azimuth = space.surroundings.turned_in(azimuth, elevation)
    return _directional(azimuth, elevation, diameter, _beside(key, azimuth, elevation, share), color)


def _rim(side: float, key: _Lamp, share: float, space: LightSpace, choice: Choice) -> light_pb2.LightSource:
    azimuth, elevation = side * choice.uniform(*_RIM_SIDE_DEG), choice.uniform(*_RIM_ELEVATION_DEG)
    diameter = choice.uniform(4.0, 9.0)
    irradiance = _beside(key, round(azimuth, 1), round(elevation, 1), share)
    color = build.kelvin(round(choice.uniform(3000.0, 9000.0)))
    return _lamp(azimuth, elevation, diameter, irradiance, color, space)
