"""Hardness of light, from the angular size of its source.

LightAttributes fixes the ends, 0 for shadowless and 1 for a point. Between them hardness is 1 / (1 + θ / 20°) of the
source's angular size θ, as the prompter and studio state it: 0.97 for the sun, 0.5 for 20°, 0.25 for 60°.
"""

from ._penumbra import CastShadows
from ._surface import KeyFit

_HALF_HARDNESS_DEG = 20.0


def hardness_of_size(size_deg: float) -> float:
    """Return hardness, 1 to 0.1, of a source of this angular size in degrees, 0 to 180."""
    return 1.0 / (1.0 + size_deg / _HALF_HARDNESS_DEG)


def measured_hardness(key: KeyFit, shadows: CastShadows | None) -> tuple[float, str] | None:
    """Return hardness and the name of the method, or None where nothing tells it.

    Args:
        key: the source as shading by orientation tells it.
        shadows: what its cast shadows tell, or None without depth.
    """
    if shadows and shadows.size_deg is not None:
        return hardness_of_size(shadows.size_deg), "penumbra-width"
    if shadows and shadows.are_missing:
        return 0.0, "cast-shadows-missing"
    return (hardness_of_size(2.0 * key.half_angle_deg), "terminator-fit") if key.size_is_sure else None
