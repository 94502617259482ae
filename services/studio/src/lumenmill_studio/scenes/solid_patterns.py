"""Compute patterns that are defined in space: seeded colours (N, 3) at points (N, 3) in metres."""

import numpy as np

from lumenmill_studio.scenes.materials import Rgb
from lumenmill_studio.scenes.shapes.mesh import Array
from lumenmill_studio.scenes.shapes.noise import fractal_noise, gradient_noise

__all__ = [
    "apple",
    "concrete",
    "dunes",
    "earth",
    "foliage",
    "glaze",
    "granite",
    "marble",
    "meadow",
    "mix",
    "patina",
    "pear",
    "smooth",
    "speckle",
    "strata",
    "weathered",
    "weave",
    "wood",
]


def mix(first: Rgb, second: Rgb, amount_n: Array) -> Array:
    """Return colours (N, 3) between two colours; amounts are clipped to 0 to 1."""
    amount = np.clip(amount_n, 0, 1)[:, None]
    mixed: Array = np.asarray(first) * (1 - amount) + np.asarray(second) * amount
    return mixed


def smooth(value: Array, low: float, high: float) -> Array:
    """Return the smooth step of values from 0 at ``low`` to 1 at ``high``."""
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
    presence = smooth(cloud, -0.12, 0.35)
    veins = (
        0.9 * presence * np.exp(-bold / 0.05)
        + 0.35 * presence * np.exp(-bold / 0.22)
        + 0.3 * (1 - presence) * np.exp(-fine / 0.05)
    )
    return mix(first, second, np.clip(veins, 0, 0.92) + 0.1 * smooth(cloud, -0.1, 0.5))


def granite(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of coarse crystals, dark and light."""
    dark = smooth(gradient_noise(points * 210, seed), 0.08, 0.22)
    light = smooth(gradient_noise(points * 160 + 9, seed + 3), 0.2, 0.34)
    return mix(first, second, dark + 0.2 * fractal_noise(points * 12, seed + 7, 2)) * (1 + 0.45 * light[:, None])


def speckle(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of fine sparse specks on an even ground."""
    specks = smooth(gradient_noise(points * 300, seed), 0.3, 0.42)
    return mix(first, second, 0.8 * specks + 0.12 * fractal_noise(points * 20, seed + 2, 2))


def earth(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of slow variation, as in fired earth or skin."""
    return mix(first, second, 0.5 + 0.9 * fractal_noise(points * 26, seed, 4, 0.6))


def weathered(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of blotches of all sizes."""
    return mix(first, second, 0.45 + 0.8 * fractal_noise(points * 3.2, seed, 6, 0.62))


def concrete(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of clouds, fine grain and a few pores."""
    pores = smooth(gradient_noise(points * 95, seed + 4), 0.36, 0.45)
    return mix(first, second, 0.4 + 0.7 * fractal_noise(points * 4, seed, 6, 0.6) + 0.5 * pores)


def patina(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of corrosion in patches that run downwards."""
    stain = fractal_noise(_stretched(points, (14, 6, 14)), seed, 5, 0.6)
    return mix(first, second, smooth(stain, -0.22, 0.3))


def strata(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of wavy layers across y."""
    warp = fractal_noise(points * 6, seed, 3)
    layers = fractal_noise(
        np.stack([points[:, 0] * 2, points[:, 1] * 46 + 3 * warp, points[:, 2] * 2], 1), seed + 3, 3, 0.6
    )
    return mix(first, second, 0.45 + 0.9 * layers)


def glaze(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of glaze that pools and thins."""
    flow = fractal_noise(_stretched(points, (16, 5, 16)), seed, 4)
    return mix(first, second, 0.42 + 0.9 * flow)


def wood(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of growth rings about an axis along y outside the piece, and fibres along y."""
    wander = fractal_noise(_stretched(points, (4, 0.8, 4)), seed, 3)
    off = np.random.default_rng(seed).uniform(0.05, 0.16, 2)
    rings = np.hypot(points[:, 0] + off[0], points[:, 2] + off[1]) * 85 + 7 * wander
    saw = rings - np.floor(rings)
    late = smooth(saw, 0.25, 0.9) * (1 - smooth(saw, 0.9, 1.0))
    fibre = fractal_noise(_stretched(points, (330, 9, 330)), seed + 6, 2)
    return (
        mix(first, second, 0.7 * late + 0.4 * fibre + 0.18)
        * (1 + 0.18 * fractal_noise(_stretched(points, (9, 1.5, 9)), seed + 9, 2))[:, None]
    )


def apple(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of a blush with streaks from pole to pole."""
    angle = np.arctan2(points[:, 0], points[:, 2])
    ring = np.stack([np.cos(angle) * 9, points[:, 1] * 8, np.sin(angle) * 9], 1)
    blush = fractal_noise(points * 16, seed, 2)
    return mix(first, second, smooth(0.75 * blush + 0.55 * gradient_noise(ring, seed + 2), 0.0, 0.5))


def pear(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of russet clouds and dots."""
    dots = smooth(gradient_noise(points * 330, seed + 1), 0.25, 0.36)
    return mix(first, second, 0.35 * dots + smooth(fractal_noise(points * 18, seed, 3), 0.1, 0.55))


def weave(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of threads over and under; fine enough to read as cloth."""
    warp = np.sin(points[:, 0] * 2600) * np.sin((points[:, 1] + points[:, 2]) * 2600)
    slubs = fractal_noise(_stretched(points, (20, 300, 20)), seed, 2) + fractal_noise(
        _stretched(points, (300, 20, 300)), seed + 3, 2
    )
    return mix(first, second, 0.4 + 0.22 * warp + 0.45 * slubs)


def meadow(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of patches large and small, for ground."""
    return (
        mix(first, second, 0.5 + 0.8 * fractal_noise(points * 0.7, seed, 7, 0.7))
        * (1 + 0.3 * gradient_noise(points * 45, seed + 11))[:, None]
    )


def foliage(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of leaves and blades of differing green."""
    return mix(
        first, second, 0.5 + 0.9 * gradient_noise(points * 1.1, seed) + 0.8 * gradient_noise(points * 23, seed + 1)
    )


def dunes(points: Array, first: Rgb, second: Rgb, seed: int) -> Array:
    """Return the colours of soft drifts."""
    return mix(first, second, 0.5 + 0.9 * fractal_noise(points * 0.9, seed, 5, 0.5))
