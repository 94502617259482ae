"""Samples of surfaces that face all the directions that are seen."""

import numpy as np
from numpy.typing import NDArray

from lumenmill_light.axes import Vector

__all__ = ["spread_over_orientations"]

# Normals are gathered in cells of this many steps from 0 to 1 along each axis; a cell counts by the root of its size.
_NORMAL_STEPS = 5


def spread_over_orientations(normals: Vector, num: int) -> NDArray[np.int64]:
    """Return rising indices of up to `num` of some unit vectors (N, 3), rare ones oftener than common ones."""
    if not len(normals):
        return np.zeros(0, np.int64)
    cells = np.round(normals * _NORMAL_STEPS).astype(np.int64) + _NORMAL_STEPS
    side = 2 * _NORMAL_STEPS + 1
    _, cell, counts = np.unique(
        (cells[:, 0] * side + cells[:, 1]) * side + cells[:, 2], return_inverse=True, return_counts=True
    )
    shares = np.cumsum(1.0 / np.sqrt(counts[cell]))
    return np.unique(np.searchsorted(shares, (np.arange(num) + 0.5) / num * shares[-1]))
