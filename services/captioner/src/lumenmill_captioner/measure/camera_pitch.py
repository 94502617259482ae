"""Pitch of a camera from the horizontal surfaces that it sees."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["pitch_deg"]

Array = NDArray[np.float32]

# Floors and tables face straight up: without camera roll their normals have no sideways component. Their pitch is
# searched between these bounds, in bins of half a degree, and must be that of at least this part of all surfaces.
_MAX_SIDEWAYS = 0.06
_LOWEST_DEG, _HIGHEST_DEG, _BIN_DEG = -20.0, 75.0, 0.5
_MIN_SHARE = 0.05


def pitch_deg(normals: Array) -> float | None:
    """Return how far a camera looks down, in degrees, or None where no horizontal surface is found.

    Args:
        normals: (H, W, 3) unit vectors in camera space (x right, y up, z towards the camera), zero for no surface.
    """
    seen = normals[np.linalg.norm(normals, axis=-1) > 0.9]
    upright = seen[np.abs(seen[:, 0]) < _MAX_SIDEWAYS]
    angles = np.degrees(np.arctan2(upright[:, 2], upright[:, 1]))
    counts, bounds = np.histogram(angles, np.arange(_LOWEST_DEG, _HIGHEST_DEG + _BIN_DEG, _BIN_DEG))
    nearby = np.convolve(counts, np.ones(3), mode="same")
    best = int(np.argmax(nearby))
    if nearby[best] < max(_MIN_SHARE * len(seen), 1.0):
        return None
    near = np.abs(angles - (bounds[best] + _BIN_DEG / 2.0)) < 1.5 * _BIN_DEG
    return float(np.median(angles[near]))
