"""Environment maps: equirectangular radiance (H, W, 3) as EnvironmentMapLight lays it out. Files are decoded elsewhere.

Azimuth falls from 180° at the left edge to −180° at the right one, elevation from 90° at the top to −90°.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lumenmill_light.axes import Vector
from lumenmill_light.color import LUMINANCE, Array
from lumenmill_light.spherical_harmonics import basis

__all__ = [
    "Lobe",
    "Radiance",
    "directions",
    "dominant_lobe",
    "irradiance_on",
    "projected",
    "reduced",
    "resized",
    "solid_angles",
    "turned",
]

Radiance = NDArray[np.floating]

# Maps are analysed at these sizes: order-2 harmonics and lobes of 20° hold no finer detail.
_HEIGHT, _WIDTH = 64, 128
_COARSE_HEIGHT, _COARSE_WIDTH = 32, 64
# Half of the lobe's height is 20° off its axis.
_LOBE_EXPONENT, _REFINED_WITHIN_DEG = 11.0, 25.0
# Larger maps are averaged over whole blocks first, since sums are in double precision.
_MAX_SUMMED_PX = 1024


@dataclass(frozen=True)
class Lobe:
    """The direction that most light comes from.

    Attributes:
        direction: unit vector (3,), where a lobe of 20° gathers the most luminance.
        size_deg: angular size of the uniform disc, half of whose light lies as near to its centre as half of the map's.
        directionality: |∫ L ω dω| / ∫ L dω, 0 for even light and 1 for a point.
        off_mean_deg: angle between the direction and ∫ L ω dω, small where one side gives most of the light.
        irradiance_rgb: irradiance (3,) on a surface that faces the direction.
        averted_rgb: irradiance (3,) on a surface that faces away from it.
    """

    direction: Vector
    size_deg: float
    directionality: float
    off_mean_deg: float
    irradiance_rgb: Array
    averted_rgb: Array


@lru_cache(maxsize=16)
def directions(height: int = _HEIGHT, width: int | None = None) -> Vector:
    """Return unit vectors (H, W, 3), read-only, towards the pixels of a map; twice as wide as high by default."""
    width = width or 2 * height
    v, u = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    azimuth, polar = np.pi - 2 * np.pi * u, np.pi * v
    found = np.stack([np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], axis=-1)
    found.flags.writeable = False
    return found


def solid_angles(height: int = _HEIGHT, width: int | None = None) -> Array:
    """Return the steradians (H, 1) of the pixels of each row."""
    edges = np.cos(np.pi * np.arange(height + 1) / height)
    return np.asarray(((edges[:-1] - edges[1:]) * 2 * np.pi / (width or 2 * height))[:, None])


def resized(image: Radiance, height: int, width: int) -> NDArray[np.float32]:
    """Return the image (H, W, C) at another size; a pixel is the mean of what it covers: energy is conserved."""
    for axis, size in ((0, height), (1, width)):
        edges = np.arange(size + 1) * image.shape[axis] / size
        low, high = np.floor(edges[:-1]).astype(int), np.ceil(edges[1:]).astype(int)
        sums = np.concatenate([np.zeros_like(image.take([0], axis), np.float64), image.cumsum(axis, np.float64)], axis)
        counts = np.moveaxis((high - low).reshape(-1, 1, 1), 0, axis)
        image = ((sums.take(high, axis) - sums.take(low, axis)) / counts).astype(np.float32)
    return np.asarray(image, np.float32)


def turned(radiance: Radiance, rotation_deg: float) -> Radiance:
    """Return the map turned about +Y by whole pixels: light at azimuth a then comes from a + rotation."""
    return np.roll(radiance, -round(rotation_deg / 360.0 * radiance.shape[1]), axis=1)


def reduced(radiance: Radiance) -> NDArray[np.float32]:
    """Return the map at 64 × 128 pixels, the size at which maps are analysed."""
    if radiance.shape[:2] == (_HEIGHT, _WIDTH):
        return np.asarray(radiance, np.float32)
    step = -(-max(radiance.shape[:2]) // _MAX_SUMMED_PX)
    height, width = radiance.shape[0] // step * step, radiance.shape[1] // step * step
    if step > 1 and height and width:
        blocks = radiance[:height, :width].reshape(height // step, step, width // step, step, 3)
        radiance = blocks.mean(axis=(1, 3), dtype=np.float32)
    return resized(radiance, _HEIGHT, _WIDTH)


def irradiance_on(radiance: Radiance, normals: Vector) -> Array:
    """Return irradiance on surfaces that nothing shades, map (H, W, 3) and normals (N, 3) → (N, 3)."""
    small = reduced(radiance)
    power = (small * solid_angles(*small.shape[:2])[..., None]).reshape(-1, 3)
    cosines = np.maximum(np.atleast_2d(normals) @ directions(*small.shape[:2]).reshape(-1, 3).T, 0.0)
    return np.asarray(cosines @ power)


def projected(radiance: Radiance) -> Array:
    """Return the spherical harmonics (3, 9) of a map's radiance."""
    small = reduced(radiance)
    height, width = small.shape[:2]
    power = small * solid_angles(height, width)[..., None]
    return np.asarray(np.einsum("hwk,hwc->ck", basis(directions(height, width)), power))


def dominant_lobe(radiance: Radiance) -> Lobe | None:
    """Return the lobe that most light comes from; None for a black map."""
    small = reduced(radiance)
    toward, power = _power(resized(small, _COARSE_HEIGHT, _COARSE_WIDTH))
    if power.sum() <= 0:
        return None
    gathered = _lobe_weights() @ power
    centre = _refined(*_power(small), toward[int(np.argmax(gathered))])
    facing, averted = irradiance_on(small, np.stack([centre, -centre]))
    mean = power @ toward
    length = float(np.linalg.norm(mean))
    off_mean_deg = math.degrees(math.acos(min(max(float(mean @ centre) / max(length, 1e-12), -1.0), 1.0)))
    return Lobe(centre, _size_deg(small, centre), length / float(power.sum()), off_mean_deg, facing, averted)


@lru_cache(maxsize=1)
def _lobe_weights() -> Array:
    """Return how much a lobe towards each pixel of a coarse map takes of every pixel, (N, N): 34 MB."""
    toward = directions(_COARSE_HEIGHT, _COARSE_WIDTH).reshape(-1, 3)
    return np.asarray(np.clip(toward @ toward.T, 0, 1) ** _LOBE_EXPONENT)


def _power(radiance: Radiance) -> tuple[Vector, Array]:
    """Return directions (N, 3) of the pixels of a map, and luminance times solid angle (N,) of each."""
    size = radiance.shape[:2]
    return directions(*size).reshape(-1, 3), (radiance @ LUMINANCE * solid_angles(*size)).ravel()


def _refined(toward: Vector, power: Array, centre: Vector) -> Vector:
    near = power * np.maximum(toward @ centre - math.cos(math.radians(_REFINED_WITHIN_DEG)), 0)
    moved = near @ toward
    length = float(np.linalg.norm(moved))
    return np.asarray(moved / length) if length > 0 else centre


def _size_deg(radiance: Radiance, centre: Vector) -> float:
    """Return the size; half of the light of a uniform disc lies within 1 / √2 of its radius."""
    toward, power = _power(radiance)
    off = np.degrees(np.arccos(np.clip(toward @ centre, -1, 1)))
    order = np.argsort(off)
    below = np.cumsum(power[order])
    median = float(off[order][min(int(np.searchsorted(below, below[-1] / 2)), len(off) - 1)])
    return min(2.0 * math.sqrt(2.0) * median, 180.0)
