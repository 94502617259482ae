"""Real spherical harmonics of order 2 in the axes and order of ``light.proto`` (Ramamoorthi and Hanrahan, 2001)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NUM_COEFFICIENTS = 9


def basis(directions_n3: Array) -> Array:
    """The nine basis functions at unit directions (N, 3) → (N, 9)."""
    x, y, z = directions_n3[..., 0], directions_n3[..., 1], directions_n3[..., 2]
    return np.stack(
        [
            np.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        axis=-1,
    )


def equirectangular_directions(height_px: int) -> Array:
    """Unit directions (H, 2H, 3) of the pixels of an environment map laid out as ``EnvironmentMapLight`` says."""
    v, u = np.meshgrid(
        (np.arange(height_px) + 0.5) / height_px, (np.arange(2 * height_px) + 0.5) / (2 * height_px), indexing="ij"
    )
    azimuth, polar = np.pi - 2 * np.pi * u, np.pi * v
    return np.stack([np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], axis=-1)


def radiance_map(coefficients_c9: Array, height_px: int = 64) -> Array:
    """Radiance (H, 2H, 3) of coefficients (3, 9); may be negative."""
    return np.asarray(basis(equirectangular_directions(height_px)) @ np.asarray(coefficients_c9).T)


def lifts() -> Array:
    """For each basis function the multiple of L00's function that must be added to make it nowhere negative, (9,)."""
    values = basis(equirectangular_directions(90)).reshape(-1, NUM_COEFFICIENTS)
    lift = np.maximum(-values.min(axis=0), 0) / 0.282095 * 1.0005
    lift[0] = 0
    return np.asarray(lift)


def dominant_direction(coefficients_c9: Array) -> Array:
    """Unit direction (3,) of the band-1 vector of the luminance; zero when there is none."""
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ coefficients_c9
    vector = np.array([luminance[3], luminance[1], luminance[2]])
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else vector
