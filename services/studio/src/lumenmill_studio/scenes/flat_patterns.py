"""Compute patterns on the texture plane: seeded colours (N, 3) that depend on x and y of points (N, 3) in metres."""

import numpy as np

from lumenmill_studio.scenes.materials import Rgb
from lumenmill_studio.scenes.shapes.mesh import Array
from lumenmill_studio.scenes.shapes.noise import fractal_noise, gradient_noise
from lumenmill_studio.scenes.solid_patterns import mix, smooth, wood

__all__ = [
    "brick",
    "canvas",
    "checker",
    "paving",
    "planks",
    "roof",
    "rug",
    "tiles",
]


def _cells(points: Array, width: float, height: float, stagger: float) -> tuple[Array, Array, Array]:
    row = np.floor(points[:, 1] / height)
    x = points[:, 0] / width + stagger * row
    column = np.floor(x)
    edge_x = np.minimum(x - column, 1 - (x - column)) * width
    y = points[:, 1] / height - row
    return np.minimum(edge_x, np.minimum(y, 1 - y) * height), column, row


def _cell_tint(column: Array, row: Array, seed: int) -> Array:
    return gradient_noise(np.stack([column * 0.731 + 0.5, row * 0.617 + 0.5, np.full(len(row), 0.3)], 1), seed)


def _laid(
    points: Array, first: Rgb, joint: Rgb, seed: int, size: tuple[float, float], stagger: float, gap: float
) -> Array:
    edge, column, row = _cells(points, size[0], size[1], stagger)
    tint = 1 + 0.55 * _cell_tint(column, row, seed) + 0.25 * fractal_noise(points * 9, seed + 5, 4, 0.6)
    return (
        mix(joint, (1, 1, 1), np.zeros(len(points))) * (1 - smooth(edge, gap * 0.5, gap))[:, None]
        + (np.asarray(first) * tint[:, None]) * smooth(edge, gap * 0.5, gap)[:, None]
    )


def tiles(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of square tiles of 20 cm with joints."""
    return _laid(points, first, second, seed, (0.2, 0.2), 0.0, 0.0035)


def brick(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of bricks in running bond."""
    return _laid(points, first, second, seed, (0.235, 0.078), 0.5, 0.008)


def paving(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of stone slabs in running bond."""
    return _laid(points, first, second, seed, (0.9, 0.6), 0.37, 0.012)


def roof(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of rows of roof tiles."""
    return _laid(points, first, second, seed, (0.16, 0.2), 0.5, 0.014)


def checker(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of a checkerboard of 25 cm stone tiles."""
    odd = (np.floor(points[:, 0] / 0.25) + np.floor(points[:, 1] / 0.25)) % 2
    edge, _, _ = _cells(points, 0.25, 0.25, 0.0)
    cloud = 1 + 0.3 * fractal_noise(points * 7, seed, 4, 0.6)
    return mix(first, second, odd) * (cloud * (0.55 + 0.45 * smooth(edge, 0.001, 0.003)))[:, None]


def planks(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of boards of 14 cm that run along y, each with its own grain."""
    turned = points[:, [1, 0, 2]]
    edge, column, row = _cells(turned, 1.9, 0.14, 0.377)
    shift = np.stack([row * 0.37, column * 1.7, row * 0.11], 1)
    tint = 1 + 0.55 * _cell_tint(column, row, seed)
    return wood(points + shift, first, second, seed) * (tint * (0.3 + 0.7 * smooth(edge, 0.0005, 0.003)))[:, None]


def rug(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of lozenges and borders in two colours and their mean."""
    x, y = points[:, 0] * 6, points[:, 1] * 6
    lozenge = np.abs(x - np.round(x)) + np.abs(y - np.round(y))
    bands = smooth(np.sin(lozenge * 22), -0.2, 0.2)
    wool = fractal_noise(points * 160, seed, 2)
    return mix(first, second, bands * 0.85) * (1 + 0.5 * wool)[:, None]


def canvas(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of an abstract painting: overlapping washes."""
    rng = np.random.default_rng(seed)
    color = np.broadcast_to(np.asarray(first), (len(points), 3)).copy()
    for index in range(7):
        wash = np.asarray(
            [
                (0.55, 0.1, 0.05),
                second,
                (0.75, 0.5, 0.12),
                (0.08, 0.09, 0.1),
                (0.2, 0.35, 0.34),
                (0.7, 0.66, 0.58),
                second,
            ][index]
        )
        field = gradient_noise(
            points * rng.uniform(1.6, 4.5) + rng.uniform(0, 50, 3), seed + index
        ) + 0.15 * fractal_noise(points * 14, seed + 20 + index, 3)
        cover = smooth(field, 0.12, 0.16)[:, None] * 0.85
        color = color * (1 - cover) + wash * cover
    return color
