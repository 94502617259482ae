"""Hardness of light, from the angular size that cast shadows or the terminator show."""

from lumenmill_captioner.measure.direction import Key
from lumenmill_captioner.measure.penumbra import CastShadows
from lumenmill_light.hardness import hardness_of_size

__all__ = ["measured_hardness"]

# Penumbras wider than this need a direction of this confidence.
_WIDE_DEG, _SURE_OF_WIDE = 35.0, 0.8


def measured_hardness(key: Key, shadows: CastShadows | None) -> tuple[float, str] | None:
    """Return hardness and the name of the method, or None where neither determines it.

    Args:
        key: the source; without shadows in view its hardness is 0 where a very broad one explains shading best, and
            otherwise unknown.
        shadows: what was measured on its cast shadows, or None without depth.
    """
    if shadows and shadows.size_deg is not None:
        # Edges of light from half the sky are found where other things darken the surfaces.
        if shadows.size_deg > _WIDE_DEG and key.confidence < _SURE_OF_WIDE:
            return None
        return hardness_of_size(shadows.size_deg), "penumbra-width"
    if shadows and shadows.are_missing:
        return (0.0, "cast-shadows-missing") if key.is_broad else None
    return (hardness_of_size(2.0 * key.fit.half_angle_deg), "terminator-fit") if key.fit.size_is_certain else None
