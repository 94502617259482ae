"""How a direction moves over a clip."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Swing", "swing_of"]

Vector = NDArray[np.float64]

_MIN_SAMPLES = 4
# A path wavers when it is longer than the distance of its ends by this factor; measured directions scatter.
_MAX_DETOUR, _SCATTER_DEG = 1.6, 25.0
_MAX_STEP_DEG = 100.0


@dataclass(frozen=True)
class Swing:
    """A direction at its start and end, as unit vectors, and its way between them.

    Attributes:
        angle_deg: angle between the two.
        turn_deg: signed turn of azimuth, over 180° where it went the long way round.
        middle_azimuth_deg: azimuth half way through the turn.
    """

    start: Vector
    end: Vector
    angle_deg: float
    turn_deg: float
    middle_azimuth_deg: float

    @property
    def extent_deg(self) -> float:
        """Return the angle between its ends, or its turn along the horizon where that is longer."""
        return max(self.angle_deg, abs(self.turn_deg) * math.hypot(self.start[0], self.start[2]))

    @property
    def rise_deg(self) -> float:
        """Return the change of elevation in degrees."""
        start, end = (math.asin(float(np.clip(vector[1], -1.0, 1.0))) for vector in (self.start, self.end))
        return math.degrees(end - start)


def swing_of(directions: Sequence[Vector], *, exact: bool) -> Swing | None:
    """Return how a direction moves; None for fewer than four samples, or when it wavers.

    Args:
        directions: unit vectors (3,) in time order, +Y up.
        exact: False for measured directions, whose ends are averaged over two samples each.
    """
    if len(directions) < _MIN_SAMPLES:
        return None
    num_averaged = 1 if exact else 2
    start, end = _mean(directions[:num_averaged]), _mean(directions[-num_averaged:])
    angle = _angle_deg(start, end)
    steps = [_angle_deg(a, b) for a, b in itertools.pairwise(directions)]
    azimuths = np.degrees(
        np.unwrap([math.atan2(d[0], d[2]) for d in (start, *directions[num_averaged:-num_averaged], end)])
    )
    turn = float(azimuths[-1] - azimuths[0])
    swing = Swing(start, end, angle, turn, float(azimuths[0] + turn / 2.0))
    wavers = max(steps) > _MAX_STEP_DEG or sum(steps) > _MAX_DETOUR * swing.extent_deg + _SCATTER_DEG
    return None if wavers else swing


def _mean(directions: Sequence[Vector]) -> Vector:
    total = np.sum(directions, axis=0)
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-9))


def _angle_deg(a: Vector, b: Vector) -> float:
    return math.degrees(math.acos(float(np.clip(a @ b, -1.0, 1.0))))
