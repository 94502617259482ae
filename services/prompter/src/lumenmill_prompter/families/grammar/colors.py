"""Colours of the grammar's lights: seven strata of white, and gels."""

from collections.abc import Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill_light import build
from lumenmill_light.color import temperature_rgb
from lumenmill_light.vocabulary import GEL_COLORS
from lumenmill_prompter.families.grammar.light_space import SUN_SKY, LightSpace
from lumenmill_prompter.families.grammar.strata import stratum_at

__all__ = ["TEMPERATURE_STRATA", "Color", "ambient_rgb", "lamp_color", "light_color"]

Color = float | tuple[float, float, float]
"""A colour temperature in kelvin, or a gel as linear Rec. 709."""

# Kelvin of the seven strata of white light; the eighth stratum is coloured gels.
TEMPERATURE_STRATA = (
    (1900.0, 2240.0),
    (2300.0, 2980.0),
    (3100.0, 4150.0),
    (4300.0, 5150.0),
    (5300.0, 6850.0),
    (7000.0, 9300.0),
    (9800.0, 15000.0),
)
_STRATA = tuple(range(len(TEMPERATURE_STRATA)))
# Outdoors the sun gives more warm light and none of the two reddest strata, which other light has instead.
_OUTDOOR_STRATA = (0, 0, 0, 0, 1, 1, 1, 1, 4, 5, 6)
# A surrounding of one of the reddest strata would be an orange sky.
_OUTDOOR_AMBIENT_STRATA = (3, 4, 5, 6)
# Part of white in the radiance of a coloured surrounding, which lights everything at once.
_WHITE_IN_AMBIENT = 0.45


def lamp_color(value: float, space: LightSpace) -> Color:
    """Spread [0, 1) over colours of lamps and parallel light."""
    return _color(value, space, _OUTDOOR_STRATA if space.outdoor and SUN_SKY in space.slots else _STRATA)


def _color(value: float, space: LightSpace, strata: Sequence[int]) -> Color:
    """Spread [0, 1) over gels and strata of white.

    Gels are an eighth of all colours; since daylight has none, other lights have more of them beside daylight.
    """
    gel_share = 1.0 / 6.0 if SUN_SKY in space.slots else 1.0 / 8.0
    if value < gel_share:
        gels = tuple(GEL_COLORS.values())
        return gels[int(value / gel_share * len(gels))]
    white = (value - gel_share) / (1.0 - gel_share)
    index, inside = stratum_at(white, len(strata))
    low, high = TEMPERATURE_STRATA[strata[index]]
    return round(low + (high - low) * inside)


def light_color(color: Color) -> light_pb2.LightColor:
    """Return a colour as the contract has it."""
    return build.rgb(color) if isinstance(color, tuple) else build.kelvin(color)


def ambient_rgb(value: float, space: LightSpace) -> list[float]:
    """Spread [0, 1) over colours of light from all around, as linear Rec. 709; gels are mixed with white."""
    color = _color(value, space, _OUTDOOR_AMBIENT_STRATA if space.outdoor else _STRATA)
    if not isinstance(color, tuple):
        red, green, blue = temperature_rgb(color).tolist()
        return [red, green, blue]
    peak = max(color)
    return [_WHITE_IN_AMBIENT + (1.0 - _WHITE_IN_AMBIENT) * channel / peak for channel in color]
