"""Real spherical harmonics of order 2, in the order and normalisation of SphericalHarmonicsLight."""

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

# Irradiance of a band is radiance of that band times this (Ramamoorthi and Hanrahan, SIGGRAPH 2001).
_BANDS = np.array([math.pi] + [2.0 * math.pi / 3.0] * 3 + [math.pi / 4.0] * 5)


def basis(directions: Vector) -> Vector:
    """Return the nine basis functions at unit vectors, (..., 3) → (..., 9)."""
    x, y, z = directions[..., 0], directions[..., 1], directions[..., 2]
    return np.stack(
        [
            np.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3.0 * z * z - 1.0),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        axis=-1,
    )


def shading_basis(normals: Vector) -> Vector:
    """Return irradiance / π for unit coefficients of radiance, (..., 3) → (..., 9)."""
    return basis(normals) * (_BANDS / math.pi)


def fit_radiance(normals: Vector, shading_rgb: Vector, weights: Vector) -> Vector:
    """Return coefficients (9, 3) of the radiance whose shading fits best, by damped least squares.

    Half of all normals are never seen, so that bands are damped a little: without that, what is behind the subject
    could take any value.
    """
    design = shading_basis(normals) * np.sqrt(weights)[:, None]
    target = shading_rgb * np.sqrt(weights)[:, None]
    damping = np.diag([0.0, 1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 4.0, 4.0]) * 1e-3 * float(weights.sum())
    return np.asarray(np.linalg.solve(design.T @ design + damping, design.T @ target))


def linear_band_direction(coefficients_luminance: Vector) -> Vector | None:
    """Return the direction of the linear band, a unit vector; None for even light."""
    vector = coefficients_luminance[[3, 1, 2]]
    length = float(np.linalg.norm(vector))
    if coefficients_luminance[0] <= 0.0 or length < 0.02 * coefficients_luminance[0]:
        return None
    return np.asarray(vector / length)


def sphere_directions(num: int) -> Vector:
    """Return `num` unit vectors spread evenly over the sphere (a Fibonacci lattice), (num, 3)."""
    index = np.arange(num) + 0.5
    height = 1.0 - 2.0 * index / num
    turn = math.pi * (1.0 + math.sqrt(5.0)) * index
    radius = np.sqrt(1.0 - height**2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], axis=-1)
