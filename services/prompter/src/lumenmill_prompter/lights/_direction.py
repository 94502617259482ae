"""Directions of light as numbers and as words, in the axes of light.proto."""

import math


def wrap_deg(angle_deg: float) -> float:
    """Return the same direction in (−180, 180] degrees."""
    wrapped = angle_deg % 360.0
    return wrapped - 360.0 if wrapped > 180.0 else wrapped


def circular_difference_deg(a_deg: float, b_deg: float) -> float:
    """Return the smallest angle between two azimuths, 0 to 180 degrees."""
    return abs(wrap_deg(a_deg - b_deg))


def unit_vector(azimuth_deg: float, elevation_deg: float) -> tuple[float, float, float]:
    """Return the unit vector (x right, y up, z towards the camera) of a direction that light comes from."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    horizontal = math.cos(elevation)
    return (math.sin(azimuth) * horizontal, math.sin(elevation), math.cos(azimuth) * horizontal)


_SIDES = (
    ("from the front", "from the direction of the camera"),
    ("from the front right", "from the right of the camera"),
    ("from the right", "from the right side"),
    ("from the back right", "from behind on the right"),
    ("from behind", "from straight behind"),
    ("from the back left", "from behind on the left"),
    ("from the left", "from the left side"),
    ("from the front left", "from the left of the camera"),
)


def compass_phrase(azimuth_deg: float, elevation_deg: float, variant: int = 0) -> str:
    """Say where light comes from: "low from the left", "from high above, slightly from behind".

    Azimuth is told in eighths of a turn, elevation in five steps. `variant` picks among wordings of equal meaning.
    """
    sides = _SIDES[round(wrap_deg(azimuth_deg) / 45.0) % 8]
    side = sides[variant % len(sides)]
    if elevation_deg >= 72.0:
        return ("from straight overhead", "from directly above")[variant % 2]
    if elevation_deg >= 42.0:
        return ("from high up, " + side, "high " + side)[variant // 2 % 2]
    if elevation_deg < -4.0:
        return "from below, " + side
    if elevation_deg < 13.0:
        return "low " + side
    return side
