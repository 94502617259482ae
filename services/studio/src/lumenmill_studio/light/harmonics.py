"""Compute the radiance maps of spherical harmonics, and what makes their basis functions non-negative."""

from functools import lru_cache

import numpy as np

from lumenmill_light.color import Array
from lumenmill_light.environment_map import directions
from lumenmill_light.spherical_harmonics import CONSTANT, NUM_COEFFICIENTS, basis

__all__ = ["lifts", "radiance_map"]


def radiance_map(coefficients_c9: Array, height_px: int = 64) -> Array:
    """Return the radiance (H, 2H, 3) of coefficients (3, 9); it may be negative."""
    return np.asarray(basis(directions(height_px)) @ np.asarray(coefficients_c9).T)


@lru_cache(maxsize=1)
def lifts() -> Array:
    """Return how much of the constant basis function makes each basis function non-negative everywhere, (9,)."""
    values = basis(directions(90)).reshape(-1, NUM_COEFFICIENTS)
    lift = np.maximum(-values.min(axis=0), 0) / CONSTANT * 1.0005
    lift[0] = 0
    lift.flags.writeable = False
    return np.asarray(lift)
