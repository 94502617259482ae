"""Spherical harmonics as rendered: radiance maps, and what makes a basis function non-negative."""

from __future__ import annotations

import numpy as np
from lumenmill_light.color import Array
from lumenmill_light.environment_map import directions
from lumenmill_light.spherical_harmonics import CONSTANT, NUM_COEFFICIENTS, basis


def radiance_map(coefficients_c9: Array, height_px: int = 64) -> Array:
    """Radiance (H, 2H, 3) of coefficients (3, 9); may be negative."""
    return np.asarray(basis(directions(height_px)) @ np.asarray(coefficients_c9).T)


def lifts() -> Array:
    """For each basis function the multiple of L00's function that must be added to make it nowhere negative, (9,)."""
    values = basis(directions(90)).reshape(-1, NUM_COEFFICIENTS)
    lift = np.maximum(-values.min(axis=0), 0) / CONSTANT * 1.0005
    lift[0] = 0
    return np.asarray(lift)
