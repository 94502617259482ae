"""Build stones, rocks and boulders. They stand on y = 0, in metres."""

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Mesh, Part, moved, rotated
from lumenmill_studio.scenes.shapes.noise import fractal_noise
from lumenmill_studio.scenes.shapes.solids import displaced, superellipsoid

__all__ = ["boulder", "pebble", "rock", "stacked_stones", "stone"]

Rng = np.random.Generator


def stone(rng: Rng, size: tuple[float, float, float], roughness: float = 0.1) -> Mesh:
    """Build a weathered stone of about ``size`` (x, y, z) metres, standing on y = 0."""
    mesh = superellipsoid(size, float(rng.uniform(0.72, 0.95)), 80, 130)
    extent = max(size)
    seed = int(rng.integers(1 << 30))
    unit = mesh.vertices_v3 / extent
    offsets = fractal_noise(unit * 1.7, seed, 2) * roughness + fractal_noise(unit * 7, seed + 9, 4) * roughness * 0.16
    shaped = displaced(mesh, offsets * extent)
    return moved(shaped, (0, -float(shaped.lower[1]), 0))


def pebble(rng: Rng) -> list[Part]:
    """Build a smooth pebble."""
    return [Part(stone(rng, (0.075, 0.038, 0.055), 0.06))]


def stacked_stones(rng: Rng) -> list[Part]:
    """Build a cairn of flat stones, each smaller than the one below."""
    parts, height, reach = [], 0.0, float(rng.uniform(0.085, 0.1))
    for _ in range(int(rng.integers(5, 7))):
        thick = reach * float(rng.uniform(0.42, 0.62))
        piece = rotated(stone(rng, (2 * reach, thick, 1.65 * reach), 0.06), "y", float(rng.uniform(0, 360)))
        parts.append(
            Part(
                moved(
                    piece,
                    (float(rng.uniform(-0.1, 0.1)) * reach, height - 0.006, float(rng.uniform(-0.1, 0.1)) * reach),
                )
            )
        )
        height += float(np.ptp(piece.vertices_v3[:, 1])) * 0.9
        reach *= float(rng.uniform(0.72, 0.86))
    return parts


def rock(rng: Rng) -> list[Part]:
    """Build a craggy rock."""
    return [Part(stone(rng, (1.5, 1.0, 1.15), 0.24))]


def boulder(rng: Rng) -> list[Part]:
    """Build a rounded boulder."""
    return [Part(stone(rng, (1.3, 1.15, 1.2), 0.13))]
