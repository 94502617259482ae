"""Real spherical harmonics of order 2, in the order and normalisation of SphericalHarmonicsLight.

Legend: tables of coefficients are (3, 9), channel by coefficient, as the contract lists them.
Formulas: Ramamoorthi and Hanrahan, SIGGRAPH 2001.
"""

import math
from collections.abc import Sequence
from operator import mul
from typing import TypeVar

import numpy as np

from lumenmill_light.axes import Vector, scene_to_level
from lumenmill_light.color import LUMINANCE, Array

__all__ = [
    "CONSTANT",
    "NUM_COEFFICIENTS",
    "basis",
    "facing_weights",
    "irradiance",
    "linear_band_direction",
    "rotated",
    "shading_basis",
    "sphere_directions",
]

NUM_COEFFICIENTS = 9
CONSTANT = 0.282095
"""The value of the first basis function, 1 / (2 √π), as light.proto states it."""

T = TypeVar("T", Array, float)

# Irradiance of a band is radiance of that band times this.
_BAND_FACTORS = (math.pi, *[2.0 * math.pi / 3.0] * 3, *[math.pi / 4.0] * 5)
_BANDS = np.array(_BAND_FACTORS)


def basis(directions: Vector) -> Array:
    """Return the nine basis functions at unit vectors, (..., 3) → (..., 9)."""
    x, y, z = directions[..., 0], directions[..., 1], directions[..., 2]
    return np.stack([np.full_like(x, CONSTANT), *_terms(x, y, z)], axis=-1)


def _terms(x: T, y: T, z: T) -> tuple[T, ...]:
    """Return the basis functions after the constant one."""
    return (
        0.488603 * y,
        0.488603 * z,
        0.488603 * x,
        1.092548 * x * y,
        1.092548 * y * z,
        0.315392 * (3 * z * z - 1),
        1.092548 * x * z,
        0.546274 * (x * x - y * y),
    )


def shading_basis(normals: Vector) -> Array:
    """Return irradiance / π for unit coefficients of radiance, (..., 3) → (..., 9)."""
    return basis(normals) * (_BANDS / math.pi)


def irradiance(coefficients_c9: Array, normals: Vector) -> Array:
    """Return irradiance on surfaces, coefficients (3, 9) and normals (..., 3) → (..., 3); may be negative."""
    return np.asarray(basis(normals) @ (np.asarray(coefficients_c9) * _BANDS).T)


def facing_weights(direction: Sequence[float]) -> tuple[float, ...]:
    """Return the nine factors whose sum over one channel's coefficients is the irradiance facing a direction (3,)."""
    x, y, z = direction
    return tuple(map(mul, _BAND_FACTORS, (CONSTANT, *_terms(x, y, z))))


def linear_band_direction(coefficients_c9: Array) -> Vector | None:
    """Return the unit vector (3,) of the linear band of the luminance; None where it vanishes."""
    levels = LUMINANCE @ np.asarray(coefficients_c9)
    vector = levels[[3, 1, 2]]
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length) if length > 1e-9 else None


def rotated(coefficients_c9: Array, rotation_deg: float) -> Array:
    """Return the coefficients (3, 9) of the light turned about +Y: what came from azimuth a comes from a + rotation."""
    before = scene_to_level(_SAMPLES, rotation_deg)
    return np.asarray(np.asarray(coefficients_c9) @ (_FROM_SAMPLES @ basis(before)).T)


def sphere_directions(num: int) -> Vector:
    """Return `num` unit vectors spread evenly over the sphere (a Fibonacci lattice), (num, 3)."""
    index = np.arange(num) + 0.5
    height = 1.0 - 2.0 * index / num
    turn = math.pi * (1.0 + math.sqrt(5.0)) * index
    radius = np.sqrt(1.0 - height**2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], axis=-1)


# Coefficients follow exactly from the values at enough directions.
_SAMPLES = sphere_directions(16)
_FROM_SAMPLES = np.linalg.pinv(basis(_SAMPLES))
