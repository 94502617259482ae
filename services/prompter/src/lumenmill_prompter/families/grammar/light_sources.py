"""Sources of light at a point of a low-discrepancy sequence.

Every light is one point over kind × azimuth × elevation × colour × hardness × rig × level. It comes from where light
reaches the subject in the sets of its scene (see surroundings).
"""

from collections.abc import Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill_light import build
from lumenmill_prompter.families.grammar.colors import ambient_rgb
from lumenmill_prompter.families.grammar.daylight import daylight_source
from lumenmill_prompter.families.grammar.light_space import LightSpace
from lumenmill_prompter.families.grammar.numbers import Choice
from lumenmill_prompter.families.grammar.rigs import key_at
from lumenmill_prompter.families.grammar.strata import elevation_at
from lumenmill_prompter.levels import smooth_share

__all__ = ["key_source"]


def key_source(
    kind: "light_pb2.LightKind.ValueType",
    point: Sequence[float],
    space: LightSpace,
    choice: Choice,
    soft_share: float,
    may_be_sunless: bool,
    level: float,
) -> tuple[light_pb2.LightSource, float | None]:
    """Return the strongest source of a light of a kind at a point of the unit cube, and its camera-side irradiance.

    Args:
        kind: kind of light, one of WRITABLE_KINDS.
        point: coordinates 0 to 1, in the order of this module's head.
        space: what the request and the scene allow.
        choice: picks among rigs of equal meaning.
        soft_share: part of area and directional lights that are soft, 0 to 1.
        may_be_sunless: whether daylight may be the sky's alone.
        level: intended camera-side irradiance of lamps, parallel light and harmonics; daylight is as bright as it is
            in nature, maps as their pixels, which are not read here.
    """
    match kind:
        case light_pb2.LIGHT_KIND_ENVIRONMENT_MAP:
            chosen = space.environment_maps[int(point[3] * len(space.environment_maps))]
            return build.environment_light(chosen, round(point[1] * 360.0 - 180.0, 1), 0.0), None
        case light_pb2.LIGHT_KIND_SUN_SKY:
            return daylight_source(point, space, choice, soft_share, may_be_sunless)
        case light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS:
            return _harmonics(point, space, level)
        case _:
            return key_at(kind, point, space, choice, soft_share, level)


def _harmonics(point: Sequence[float], space: LightSpace, level: float) -> tuple[light_pb2.LightSource, float]:
    azimuth, elevation = space.parallel(point[1], elevation_at(point[2]))
    directionality = 0.65 + 0.35 * point[4]
    mean = level / smooth_share(azimuth, elevation, directionality)
    color = ambient_rgb(point[3], space)
    return build.spherical_harmonics_light(azimuth, elevation, directionality, mean, color), level
