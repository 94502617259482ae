"""Radiance from all around, fitted to shading as spherical harmonics."""

import numpy as np

from lumenmill_light.axes import Vector
from lumenmill_light.color import Array
from lumenmill_light.spherical_harmonics import shading_basis

__all__ = ["fit_radiance"]

# Only half of all normals are visible. Without damping of the higher bands the radiance behind the subject could take
# any value.
_DAMPING = np.diag([0.0, 1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 4.0, 4.0]) * 1e-3


def fit_radiance(normals: Vector, shading_rgb: Array, weights: Array) -> Array:
    """Return coefficients (9, 3) of the radiance whose shading fits best, by damped least squares.

    Args:
        normals: (N, 3) unit vectors.
        shading_rgb: (N, 3) irradiance / π.
        weights: (N,) positive.
    """
    roots = np.sqrt(weights)[:, None]
    design, target = shading_basis(normals) * roots, shading_rgb * roots
    damping = _DAMPING * float(weights.sum())
    return np.asarray(np.linalg.solve(design.T @ design + damping, design.T @ target))
