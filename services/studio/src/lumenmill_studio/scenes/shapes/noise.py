"""Compute seeded gradient noise in three dimensions, for surfaces and solid textures."""

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Array

__all__ = ["fractal_noise", "gradient_noise"]


def gradient_noise(points_n3: Array, seed: int) -> Array:
    """Return gradient noise (Perlin, 2002) at each point, about −0.7 to 0.7, (N,); it repeats after 32 cells."""
    shift = np.random.default_rng(seed).uniform(0, _PERIOD, 3).astype(np.float32)
    points = np.asarray(points_n3, np.float32) + shift
    cell = np.floor(points)
    x, y, z = (points - cell).T
    low = cell.astype(np.int32) & (_PERIOD - 1)
    high = (low + 1) & (_PERIOD - 1)
    fade_x, fade_y, fade_z = (t * t * t * (t * (t * 6 - 15) + 10) for t in (x, y, z))

    def corner(i: int, j: int, k: int) -> Array:
        cells = (high[:, 0] if i else low[:, 0], high[:, 1] if j else low[:, 1], high[:, 2] if k else low[:, 2])
        gx, gy, gz = _LATTICE[:, (cells[0] * _PERIOD + cells[1]) * _PERIOD + cells[2]]
        return np.asarray(gx * (x - i) + gy * (y - j) + gz * (z - k))

    def edge(j: int, k: int) -> Array:
        near = corner(0, j, k)
        return np.asarray(near + fade_x * (corner(1, j, k) - near))

    first, second = edge(0, 0), edge(0, 1)
    front = first + fade_y * (edge(1, 0) - first)
    back = second + fade_y * (edge(1, 1) - second)
    return np.asarray(front + fade_z * (back - front), np.float64)


def fractal_noise(points_n3: Array, seed: int, num_octaves: int = 4, gain: float = 0.5) -> Array:
    """Return the sum of octaves of gradient noise, each twice as fine and ``gain`` times as strong, (N,)."""
    total = np.zeros(len(points_n3))
    for octave in range(num_octaves):
        total += gain**octave * gradient_noise(points_n3 * 2.03**octave + octave * 17.3, seed + octave)
    return total


def _fibonacci_sphere(num_points: int) -> Array:
    index = np.arange(num_points) + 0.5
    y = 1 - 2 * index / num_points
    angle = np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - y * y)
    return np.stack([ring * np.cos(angle), y, ring * np.sin(angle)], 1)


_PERIOD = 32
# Gradients of the lattice by component, (3, 32³); a seed shifts the points, not the lattice.
_LATTICE = np.ascontiguousarray(
    _fibonacci_sphere(256)[np.random.default_rng(20).integers(256, size=_PERIOD**3)].T, np.float32
)
