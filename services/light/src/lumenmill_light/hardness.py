"""Hardness of light, from the angular size of its source.

LightAttributes fixes the ends, 0 for shadowless and 1 for a point. Between them hardness is 1 / (1 + θ / 20°) of the
source's angular size θ: 0.97 for the sun, 0.5 for 20°, 0.25 for 60°.
"""

__all__ = ["hardness_of_size", "size_of_hardness"]

_HALF_HARDNESS_DEG = 20.0


def hardness_of_size(size_deg: float) -> float:
    """Return hardness, 1 to 0.1, of a source of this angular size in degrees, 0 to 180."""
    return 1.0 / (1.0 + max(size_deg, 0.0) / _HALF_HARDNESS_DEG)


def size_of_hardness(hardness: float) -> float:
    """Return the angular size in degrees, 0 to 180, of a source of this hardness: the inverse of `hardness_of_size`."""
    return _HALF_HARDNESS_DEG * (1.0 / min(max(hardness, 0.1), 1.0) - 1.0)
