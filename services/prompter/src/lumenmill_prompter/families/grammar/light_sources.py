"""Sources of light at a point of a low-discrepancy sequence.

Every light is one point over kind × azimuth × elevation × colour × hardness × rig × level. It comes from where light
reaches the subject in the sets of its scene (see surroundings).
"""

import math
from collections.abc import Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill_light import build
from lumenmill_prompter.families.grammar.colors import ambient_rgb, lamp_color
from lumenmill_prompter.families.grammar.daylight import daylight_source
from lumenmill_prompter.families.grammar.light_space import LightSpace
from lumenmill_prompter.families.grammar.numbers import Choice
from lumenmill_prompter.families.grammar.rigs import rig
from lumenmill_prompter.families.grammar.strata import elevation_at

__all__ = ["relative_level_ev", "sources_at"]

_AMBIENT_IRRADIANCE = 0.5 * math.pi


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
            return [build.environment_light(chosen, round(point[1] * 360.0 - 180.0, 1), 0.0)]
        case light_pb2.LIGHT_KIND_SUN_SKY:
            return [daylight_source(point, space, choice, soft_share, may_be_sunless)]
        case light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS:
            azimuth, elevation = space.parallel(point[1], elevation_at(point[2]))
            color = ambient_rgb(lamp_color(point[3], space))
            return [
                build.spherical_harmonics_light(azimuth, elevation, 0.65 + 0.35 * point[4], _AMBIENT_IRRADIANCE, color)
            ]
        case _:
            return rig(kind, point, space, choice, soft_share)


def relative_level_ev(value: float) -> float:
    """Spread [0, 1) over stops from the picture that a set starts from: a fifth clearly dimmer, a fifth brighter."""
    if value < 0.2:
        return -2.2 + 5.0 * value
    return 1.1 + 2.5 * (value - 0.8) if value >= 0.8 else -0.4 + 1.2 * (value - 0.2) / 0.9
