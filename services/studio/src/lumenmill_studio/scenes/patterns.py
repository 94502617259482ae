"""List procedural patterns by name, and compute their colours: linear reflectance at points in metres."""

from collections.abc import Callable

import numpy as np

from lumenmill_studio.scenes import flat_patterns, solid_patterns
from lumenmill_studio.scenes.materials import Rgb
from lumenmill_studio.scenes.shapes.mesh import Array

__all__ = ["PATTERNS", "Pattern", "bitmap", "colors_at"]

Pattern = Callable[[Array, Rgb, Rgb, int], Array]

PATTERNS: dict[str, Pattern] = {
    function.__name__: function
    for function in (
        solid_patterns.marble,
        solid_patterns.granite,
        solid_patterns.speckle,
        solid_patterns.earth,
        solid_patterns.weathered,
        solid_patterns.concrete,
        solid_patterns.patina,
        solid_patterns.strata,
        solid_patterns.glaze,
        solid_patterns.wood,
        solid_patterns.apple,
        solid_patterns.pear,
        solid_patterns.weave,
        solid_patterns.meadow,
        solid_patterns.foliage,
        solid_patterns.dunes,
        flat_patterns.tiles,
        flat_patterns.brick,
        flat_patterns.paving,
        flat_patterns.roof,
        flat_patterns.checker,
        flat_patterns.planks,
        flat_patterns.rug,
        flat_patterns.canvas,
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
