"""Strata of the unit interval: height and hardness of light, and the part of a stratum that a number lies in."""

__all__ = ["SOFT_ALONE", "SOFT_BESIDE_HARMONICS", "elevation_at", "hardness_at", "stratum_at"]

# Soft lamps are rarer where harmonics, which are soft too, are allowed.
SOFT_BESIDE_HARMONICS, SOFT_ALONE = 1.0 / 9.0, 1.0 / 3.0
# End of the stratum, lowest and highest elevation in degrees.
_ELEVATIONS = ((0.3, 3.0, 12.0), (0.7, 15.0, 46.0), (0.92, 50.0, 68.0), (1.0, 74.0, 86.0))


def stratum_at(value: float, num: int) -> tuple[int, float]:
    """Return the stratum of a number in [0, 1) and where it lies inside it, again in [0, 1)."""
    scaled = value * num
    stratum = min(int(scaled), num - 1)
    return stratum, scaled - stratum


def hardness_at(value: float, soft: float) -> tuple[str, float]:
    """Hard, medium or soft, and where in that stratum; medium and hard share evenly what `soft` leaves."""
    middle = (1.0 + soft) / 2.0
    if value < soft:
        return "soft", value / soft
    if value < middle:
        return "medium", (value - soft) / (middle - soft)
    return "hard", (value - middle) / (1.0 - middle)


def elevation_at(value: float) -> float:
    """Spread [0, 1) over elevations in degrees."""
    start = 0.0
    for end, low, high in _ELEVATIONS:
        if value < end:
            return low + (high - low) * (value - start) / (end - start)
        start = end
    return _ELEVATIONS[-1][2]
