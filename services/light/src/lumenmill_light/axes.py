"""Angles and directions in the axes of light.proto: +X right, +Y up, +Z from the subject towards the camera."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Vector",
    "angle_between_deg",
    "angles_of",
    "circular_difference_deg",
    "direction",
    "scene_to_level",
    "unit_vector",
    "wrap_deg",
]

Vector = NDArray[np.float64]


def wrap_deg(angle_deg: float) -> float:
    """Return the same direction in (−180, 180] degrees."""
    wrapped = angle_deg % 360.0
    return wrapped - 360.0 if wrapped > 180.0 else wrapped


def circular_difference_deg(a_deg: float, b_deg: float) -> float:
    """Return the smallest angle between two azimuths, 0 to 180 degrees."""
    return abs(wrap_deg(a_deg - b_deg))


def direction(azimuth_deg: float, elevation_deg: float) -> tuple[float, float, float]:
    """Return the unit vector (x, y, z) towards an azimuth and an elevation, as plain numbers."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    horizontal = math.cos(elevation)
    return horizontal * math.sin(azimuth), math.sin(elevation), horizontal * math.cos(azimuth)


def unit_vector(azimuth_deg: float, elevation_deg: float) -> Vector:
    """Return the unit vector (3,) towards an azimuth and an elevation."""
    return np.array(direction(azimuth_deg, elevation_deg))


def angles_of(vector: Vector | Sequence[float]) -> tuple[float, float]:
    """Return azimuth in (−180, 180] and elevation of a unit vector (3,), in degrees."""
    azimuth = math.degrees(math.atan2(float(vector[0]), float(vector[2])))
    return azimuth, math.degrees(math.asin(min(max(float(vector[1]), -1.0), 1.0)))


def angle_between_deg(
    azimuth_a_deg: float, elevation_a_deg: float, azimuth_b_deg: float, elevation_b_deg: float
) -> float:
    """Return the angle between two directions, 0 to 180 degrees."""
    first, second = math.radians(elevation_a_deg), math.radians(elevation_b_deg)
    turn = math.radians(azimuth_a_deg - azimuth_b_deg)
    cosine = math.sin(first) * math.sin(second) + math.cos(first) * math.cos(second) * math.cos(turn)
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def scene_to_level(vectors: Vector, camera_azimuth_deg: float) -> Vector:
    """Turn scene directions (..., 3) into the level frame of a camera: its azimuth is 0 there, up stays up.

    A negative azimuth turns back from the level frame into the scene.
    """
    turn = math.radians(camera_azimuth_deg)
    c, s = math.cos(turn), math.sin(turn)
    return np.asarray(vectors @ np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]))
