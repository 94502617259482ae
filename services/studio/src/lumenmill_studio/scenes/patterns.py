"""Compute procedural colours: seeded functions from points in metres to linear reflectance.

Solid patterns are defined in space; flat ones read only x and y, the texture plane. Legend: N points.
"""

from collections.abc import Callable

import numpy as np

from lumenmill_studio.scenes.materials import Rgb
from lumenmill_studio.scenes.shapes.mesh import Array
from lumenmill_studio.scenes.shapes.noise import fractal_noise, gradient_noise

__all__ = [
    "PATTERNS",
    "Pattern",
    "apple",
    "bitmap",
    "brick",
    "canvas",
    "checker",
    "colors_at",
    "concrete",
    "dunes",
    "earth",
    "foliage",
    "glaze",
    "granite",
    "marble",
    "meadow",
    "patina",
    "paving",
    "pear",
    "planks",
    "roof",
    "rug",
    "speckle",
    "strata",
    "tiles",
    "weathered",
    "weave",
    "wood",
]

Pattern = Callable[[Array, Rgb, Rgb, int], Array]


def _mix(first: Rgb, second: Rgb, amount_n: Array) -> Array:
    amount = np.clip(amount_n, 0, 1)[:, None]
    mixed: Array = np.asarray(first) * (1 - amount) + np.asarray(second) * amount
    return mixed


def _smooth(value: Array, low: float, high: float) -> Array:
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _stretched(points: Array, factors: tuple[float, float, float]) -> Array:
    return np.asarray(points * np.array(factors))


def marble(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of stone with long warped veins: a few bold ones that thin out, and faint fine ones."""
    warp = np.stack([fractal_noise(points * 4 + k * 31, seed + k, 3, 0.55) for k in range(2)], 1)
    lean = points @ np.array([0.62, 0.5, 0.6]) * 6.5
    bold = np.abs(np.sin(lean + 4.2 * warp[:, 0]))
    fine = np.abs(np.sin(lean * 2.3 + points[:, 0] * 5 + 5.5 * warp[:, 1]))
    cloud = fractal_noise(points * 5, seed + 8, 3)
    presence = _smooth(cloud, -0.12, 0.35)
    veins = (
        0.9 * presence * np.exp(-bold / 0.05)
        + 0.35 * presence * np.exp(-bold / 0.22)
        + 0.3 * (1 - presence) * np.exp(-fine / 0.05)
    )
    return _mix(first, second, np.clip(veins, 0, 0.92) + 0.1 * _smooth(cloud, -0.1, 0.5))


def granite(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of coarse crystals, dark and light."""
    dark = _smooth(gradient_noise(points * 210, seed), 0.08, 0.22)
    light = _smooth(gradient_noise(points * 160 + 9, seed + 3), 0.2, 0.34)
    return _mix(first, second, dark + 0.2 * fractal_noise(points * 12, seed + 7, 2)) * (1 + 0.45 * light[:, None])


def speckle(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of fine sparse specks on an even ground."""
    specks = _smooth(gradient_noise(points * 300, seed), 0.3, 0.42)
    return _mix(first, second, 0.8 * specks + 0.12 * fractal_noise(points * 20, seed + 2, 2))


def earth(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of slow variation, as in fired earth or skin."""
    return _mix(first, second, 0.5 + 0.9 * fractal_noise(points * 26, seed, 4, 0.6))


def weathered(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of blotches of all sizes."""
    return _mix(first, second, 0.45 + 0.8 * fractal_noise(points * 3.2, seed, 6, 0.62))


def concrete(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of clouds, fine grain and a few pores."""
    pores = _smooth(gradient_noise(points * 95, seed + 4), 0.36, 0.45)
    return _mix(first, second, 0.4 + 0.7 * fractal_noise(points * 4, seed, 6, 0.6) + 0.5 * pores)


def patina(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of corrosion in patches that run downwards."""
    stain = fractal_noise(_stretched(points, (14, 6, 14)), seed, 5, 0.6)
    return _mix(first, second, _smooth(stain, -0.22, 0.3))


def strata(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of wavy layers across y."""
    warp = fractal_noise(points * 6, seed, 3)
    layers = fractal_noise(
        np.stack([points[:, 0] * 2, points[:, 1] * 46 + 3 * warp, points[:, 2] * 2], 1), seed + 3, 3, 0.6
    )
    return _mix(first, second, 0.45 + 0.9 * layers)


def glaze(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of glaze that pools and thins."""
    flow = fractal_noise(_stretched(points, (16, 5, 16)), seed, 4)
    return _mix(first, second, 0.42 + 0.9 * flow)


def wood(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of growth rings about an axis along y outside the piece, and fibres along y."""
    wander = fractal_noise(_stretched(points, (4, 0.8, 4)), seed, 3)
    off = np.random.default_rng(seed).uniform(0.05, 0.16, 2)
    rings = np.hypot(points[:, 0] + off[0], points[:, 2] + off[1]) * 85 + 7 * wander
    saw = rings - np.floor(rings)
    late = _smooth(saw, 0.25, 0.9) * (1 - _smooth(saw, 0.9, 1.0))
    fibre = fractal_noise(_stretched(points, (330, 9, 330)), seed + 6, 2)
    return (
        _mix(first, second, 0.7 * late + 0.4 * fibre + 0.18)
        * (1 + 0.18 * fractal_noise(_stretched(points, (9, 1.5, 9)), seed + 9, 2))[:, None]
    )


def apple(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of a blush with streaks from pole to pole."""
    angle = np.arctan2(points[:, 0], points[:, 2])
    ring = np.stack([np.cos(angle) * 9, points[:, 1] * 8, np.sin(angle) * 9], 1)
    blush = fractal_noise(points * 16, seed, 2)
    return _mix(first, second, _smooth(0.75 * blush + 0.55 * gradient_noise(ring, seed + 2), 0.0, 0.5))


def pear(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of russet clouds and dots."""
    dots = _smooth(gradient_noise(points * 330, seed + 1), 0.25, 0.36)
    return _mix(first, second, 0.35 * dots + _smooth(fractal_noise(points * 18, seed, 3), 0.1, 0.55))


def weave(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of threads over and under; fine enough to read as cloth."""
    warp = np.sin(points[:, 0] * 2600) * np.sin((points[:, 1] + points[:, 2]) * 2600)
    slubs = fractal_noise(_stretched(points, (20, 300, 20)), seed, 2) + fractal_noise(
        _stretched(points, (300, 20, 300)), seed + 3, 2
    )
    return _mix(first, second, 0.4 + 0.22 * warp + 0.45 * slubs)


def meadow(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of patches large and small, for ground."""
    return (
        _mix(first, second, 0.5 + 0.8 * fractal_noise(points * 0.7, seed, 7, 0.7))
        * (1 + 0.3 * gradient_noise(points * 45, seed + 11))[:, None]
    )


def foliage(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of leaves and blades of differing green."""
    return _mix(
        first, second, 0.5 + 0.9 * gradient_noise(points * 1.1, seed) + 0.8 * gradient_noise(points * 23, seed + 1)
    )


def dunes(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of soft drifts."""
    return _mix(first, second, 0.5 + 0.9 * fractal_noise(points * 0.9, seed, 5, 0.5))


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
        _mix(joint, (1, 1, 1), np.zeros(len(points))) * (1 - _smooth(edge, gap * 0.5, gap))[:, None]
        + (np.asarray(first) * tint[:, None]) * _smooth(edge, gap * 0.5, gap)[:, None]
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
    return _mix(first, second, odd) * (cloud * (0.55 + 0.45 * _smooth(edge, 0.001, 0.003)))[:, None]


def planks(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of boards of 14 cm that run along y, each with its own grain."""
    turned = points[:, [1, 0, 2]]
    edge, column, row = _cells(turned, 1.9, 0.14, 0.377)
    shift = np.stack([row * 0.37, column * 1.7, row * 0.11], 1)
    tint = 1 + 0.55 * _cell_tint(column, row, seed)
    return wood(points + shift, first, second, seed) * (tint * (0.3 + 0.7 * _smooth(edge, 0.0005, 0.003)))[:, None]


def rug(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of lozenges and borders in two colours and their mean."""
    x, y = points[:, 0] * 6, points[:, 1] * 6
    lozenge = np.abs(x - np.round(x)) + np.abs(y - np.round(y))
    bands = _smooth(np.sin(lozenge * 22), -0.2, 0.2)
    wool = fractal_noise(points * 160, seed, 2)
    return _mix(first, second, bands * 0.85) * (1 + 0.5 * wool)[:, None]


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
        cover = _smooth(field, 0.12, 0.16)[:, None] * 0.85
        color = color * (1 - cover) + wash * cover
    return color


PATTERNS: dict[str, Pattern] = {
    function.__name__: function
    for function in (
        marble,
        granite,
        speckle,
        earth,
        weathered,
        concrete,
        patina,
        strata,
        glaze,
        wood,
        apple,
        pear,
        weave,
        meadow,
        foliage,
        dunes,
        tiles,
        brick,
        paving,
        roof,
        checker,
        planks,
        rug,
        canvas,
    )
}


def colors_at(points_n3: Array, pattern: str, first: Rgb, second: Rgb, seed: int, scale: float = 1.0) -> Array:
    """Return the linear reflectance (N, 3), 0.005 to 0.95, of a pattern at points in metres."""
    return np.clip(PATTERNS[pattern](np.asarray(points_n3, float) * scale, first, second, seed), 0.005, 0.95)


def bitmap(
    pattern: str, first: Rgb, second: Rgb, seed: int, extent_m: float, size_px: int, scale: float = 1.0
) -> Array:
    """Return a pattern on the texture plane as a picture (size_px, size_px, 3) that covers ``extent_m`` metres squared.

    Row 0 is v = 1, as renderers expect.
    """
    axis = (np.arange(size_px) + 0.5) / size_px * extent_m
    u, v = np.meshgrid(axis, axis[::-1])
    points = np.stack([u.ravel(), v.ravel(), np.full(u.size, 0.013)], 1)
    return colors_at(points, pattern, first, second, seed, scale).reshape(size_px, size_px, 3)
