"""Find how things stand to one another from their bounding boxes, as the camera sees them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Array

__all__ = ["Box", "relation"]

_SAME_HEIGHT_M = 1e-3
# Overlap of two extents, as a fraction of the smaller one, from which things are level with one another.
_LEVEL = 0.35
# Things farther apart than this many times the wider one are not beside each other.
_BESIDE = 1.0


@dataclass(frozen=True)
class Box:
    """Lower and upper corner (3,) in scene coordinates, in metres, and the height on which the thing stands."""

    lower: Array
    upper: Array
    base_y: float

    def stands_on(self, other: "Box") -> bool:
        """Return whether this thing stands on top of another one."""
        center = (self.lower + self.upper) / 2
        inside = all(other.lower[axis] <= center[axis] <= other.upper[axis] for axis in (0, 2))
        return inside and self is not other and abs(self.base_y - float(other.upper[1])) < _SAME_HEIGHT_M


def relation(first: Sequence[Box], second: Sequence[Box], azimuth_deg: float) -> str:
    """Return "beside", "in front of" or "behind": how the first group stands to the second; empty if none is clear.

    ``azimuth_deg`` is that of the camera, 0 at +Z.
    """
    turn = np.radians(azimuth_deg)
    across, nearer = np.array([np.cos(turn), 0, -np.sin(turn)]), np.array([np.sin(turn), 0, np.cos(turn)])
    found = {_pair(_extents(a, across, nearer), _extents(b, across, nearer)) for a in first for b in second}
    return found.pop() if len(found) == 1 else ""


def _extents(box: Box, across: Array, nearer: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the extent across the view, and the one towards the camera."""
    corners = np.array([[x, 0, z] for x in (box.lower[0], box.upper[0]) for z in (box.lower[2], box.upper[2])])
    along = corners @ across, corners @ nearer
    return (float(along[0].min()), float(along[0].max())), (float(along[1].min()), float(along[1].max()))


def _pair(
    first: tuple[tuple[float, float], tuple[float, float]], second: tuple[tuple[float, float], tuple[float, float]]
) -> str:
    across, nearer = _overlap(first[0], second[0]), _overlap(first[1], second[1])
    gap = max(second[0][0] - first[0][1], first[0][0] - second[0][1])
    if across < _LEVEL and nearer > _LEVEL:
        widest = max(extent[0][1] - extent[0][0] for extent in (first, second))
        return "beside" if gap < _BESIDE * widest else ""
    if across > _LEVEL and nearer <= 0:
        return "in front of" if first[1][0] >= second[1][1] else "behind"
    return ""


def _overlap(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return the overlap of two extents as a fraction of the smaller one; negative if they are apart."""
    common = min(first[1], second[1]) - max(first[0], second[0])
    return common / max(min(first[1] - first[0], second[1] - second[0]), 1e-9)
