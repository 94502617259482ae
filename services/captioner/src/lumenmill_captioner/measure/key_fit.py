"""Light from shading on surfaces whose normals are known."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from lumenmill_light.axes import Vector
from lumenmill_light.color import luminance
from lumenmill_light.irradiance import facing
from lumenmill_light.spherical_harmonics import sphere_directions

__all__ = ["KeyFit", "Shading", "fit_key", "gather", "lit_and_shaded_ev"]

# Normals are gathered in cells of this many steps from 0 to 1 along each axis, about 6° wide.
_NORMAL_STEPS = 9
# Of the pixels in a cell those between these ranks count: below lie cast shadows, above highlights.
_LOW_RANK, _HIGH_RANK = 0.5, 0.9
# No second source is fitted when one explains this much; a second must leave less than this part unexplained.
_WELL_EXPLAINED, _MUCH_BETTER = 0.97, 0.6
_HALF_ANGLES_DEG = (0.0, 10.0, 22.0, 36.0, 52.0, 70.0, 90.0)


@dataclass(frozen=True)
class Shading:
    """Shading (irradiance / π) by orientation: cells of normals with their mean normal, colour and weight.

    normals: (N, 3) unit vectors; rgb: (N, 3) linear; weights: (N,), adding up to 1.
    """

    normals: Vector
    rgb: Vector
    weights: Vector

    @property
    def luminance(self) -> Vector:
        """Luminance of each cell, (N,)."""
        return np.asarray(luminance(self.rgb), np.float64)


@dataclass(frozen=True)
class KeyFit:
    """One broad or narrow source plus even light: S = even + strength · F(n·direction).

    direction: unit vector towards the source. half_angle_deg: half of its angular size, and whether `size_is_certain`.
    explained: part of the variance of shading that the model explains, 0 to 1. confidence: of the direction, 0 to 1.
    """

    direction: Vector
    half_angle_deg: float
    size_is_certain: bool
    even: float
    strength: float
    explained: float
    confidence: float


def gather(normals: Vector, shading_rgb: Vector, weights: Vector) -> Shading | None:
    """Gather pixels into cells of equal orientation; None when fewer than 12 cells are seen.

    Args:
        normals: (P, 3) unit vectors. shading_rgb: (P, 3). weights: (P,) positive.
    """
    cells = np.round(normals * _NORMAL_STEPS).astype(np.int64) + _NORMAL_STEPS
    side = 2 * _NORMAL_STEPS + 1
    codes = (cells[:, 0] * side + cells[:, 1]) * side + cells[:, 2]
    _, cell, counts = np.unique(codes, return_inverse=True, return_counts=True)
    order = np.lexsort((luminance(shading_rgb), cell))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.empty(len(cell))
    rank[order] = (np.arange(len(cell)) - starts[cell[order]] + 0.5) / counts[cell[order]]
    kept = ((rank >= _LOW_RANK) & (rank <= _HIGH_RANK)) | (counts[cell] <= 3)
    mass = np.bincount(cell[kept], weights[kept], len(counts))
    seen = (mass > 0.0) & (counts >= 2)
    if int(seen.sum()) < 12:
        return None

    def mean(values: Vector) -> Vector:
        sums = np.stack([np.bincount(cell[kept], (values[:, c] * weights)[kept], len(counts)) for c in range(3)], -1)
        return np.asarray(sums[seen] / mass[seen][:, None])

    mean_normals = mean(normals)
    mean_normals /= np.linalg.norm(mean_normals, axis=-1, keepdims=True)
    importance = np.sqrt(mass[seen])
    return Shading(mean_normals, mean(shading_rgb), importance / importance.sum())


def _explained(shading: Shading, residual: Vector) -> float:
    values, weights = shading.luminance, shading.weights
    variance = float(weights @ (values - weights @ values) ** 2)
    return 0.0 if variance <= 0.0 else max(0.0, 1.0 - float(weights @ residual**2) / variance)


def _search(shading: Shading, values: Vector) -> Vector:
    """Return the best of many directions for a narrow source that explains `values`, by weighted least squares."""
    directions = sphere_directions(900)
    lit = np.maximum(shading.normals @ directions.T, 0.0)
    weights = shading.weights
    mean_lit, mean_value = weights @ lit, float(weights @ values)
    covariance = weights @ ((lit - mean_lit) * (values - mean_value)[:, None])
    variance = weights @ (lit - mean_lit) ** 2
    gain = np.where(covariance > 0.0, covariance**2 / np.maximum(variance, 1e-9), 0.0)
    return np.asarray(directions[int(np.argmax(gain))])


def fit_key(shading: Shading) -> KeyFit | None:
    """Fit one source, or two when they explain clearly more, and even light; None when shading does not vary.

    Robust least squares (soft L1) over directions, strengths and even light. Of two sources the key is the one that
    gives these surfaces more light. The size is fitted for a single source alone.
    """
    values, weights = shading.luminance, shading.weights
    scale = float(weights @ values)
    spread = float(np.sqrt(weights @ (values - scale) ** 2))
    if scale <= 0.0 or spread < 0.01 * scale:
        return None
    first = _search(shading, values)
    single = _single(shading, first, scale)
    if single.explained > _WELL_EXPLAINED:
        return single
    model = np.maximum(shading.normals @ single.direction, 0.0) * single.strength + single.even
    pair = _pair(shading, single.direction, _search(shading, values - model), scale)
    unexplained = 1.0 - single.explained
    return pair if 1.0 - pair.explained < _MUCH_BETTER * unexplained else single


def _single(shading: Shading, start: Vector, scale: float) -> KeyFit:
    fits = [_fit(shading, [start], half_angle, scale) for half_angle in _HALF_ANGLES_DEG]
    costs = np.array([cost for cost, _, _ in fits])
    best = int(np.argmin(costs))
    _, even, sources = fits[best]
    direction, strength = sources[0]
    model = even + strength * facing(shading.normals @ direction, _HALF_ANGLES_DEG[best])
    explained = _explained(shading, shading.luminance - model)
    # Narrow sources have the same terminator; a broad one is certain when a point fits clearly worse.
    broad = _HALF_ANGLES_DEG[best] >= 20.0 and float(costs[0]) > 1.5 * float(costs[best])
    confidence = explained * _anisotropy(even, strength) * _coverage(shading)
    size_is_certain = broad and explained > 0.9
    half_angle = _refined_size(costs, best)
    return KeyFit(
        direction, half_angle, size_is_certain, even, strength, explained, float(np.clip(confidence, 0.0, 1.0))
    )


def _pair(shading: Shading, first: Vector, second: Vector, scale: float) -> KeyFit:
    _, even, sources = _fit(shading, [first, second], 0.0, scale)
    lit = [strength * facing(shading.normals @ direction, 0.0) for direction, strength in sources]
    explained = _explained(shading, shading.luminance - even - lit[0] - lit[1])
    shares = [float(shading.weights @ part) for part in lit]
    key = int(shares[1] > shares[0])
    direction, strength = sources[key]
    # Of two equal sources either may be the key.
    lead = (shares[key] - shares[1 - key]) / max(sum(shares), 1e-9)
    confidence = explained * _anisotropy(even, strength) * _coverage(shading) * min(1.0, 0.5 + lead)
    return KeyFit(direction, 0.0, False, even, strength, explained, float(np.clip(confidence, 0.0, 1.0)))  # noqa: FBT003


def _fit(
    shading: Shading, starts: list[Vector], half_angle_deg: float, scale: float
) -> tuple[float, float, list[tuple[Vector, float]]]:
    """Return the cost, the even light, and direction and strength of each source."""
    roots = np.sqrt(shading.weights)
    values = shading.luminance / scale

    def residuals(parameters: Vector) -> Vector:
        vectors = parameters[1:].reshape(-1, 4)
        directions = vectors[:, :3] / np.linalg.norm(vectors[:, :3], axis=-1, keepdims=True)
        lit = facing(shading.normals @ directions.T, half_angle_deg) @ np.abs(vectors[:, 3])
        return np.asarray(roots * (abs(parameters[0]) + lit - values))

    start = np.concatenate([[0.3], *(np.append(direction, 1.0 / len(starts)) for direction in starts)])
    f_scale = 0.1 * float(np.sqrt(np.mean(shading.weights)))
    solved = optimize.least_squares(residuals, start, loss="soft_l1", f_scale=f_scale, max_nfev=25 * len(starts))
    vectors = solved.x[1:].reshape(-1, 4)
    sources = [(vector[:3] / np.linalg.norm(vector[:3]), abs(float(vector[3])) * scale) for vector in vectors]
    return float(solved.cost), abs(float(solved.x[0])) * scale, sources


def _refined_size(costs: Vector, best: int) -> float:
    """Return the half angle between grid points where a parabola through three costs is lowest."""
    if best in {0, len(costs) - 1}:
        return _HALF_ANGLES_DEG[best]
    coefficients = np.polyfit(_HALF_ANGLES_DEG[best - 1 : best + 2], costs[best - 1 : best + 2], 2)
    if coefficients[0] <= 0.0:
        return _HALF_ANGLES_DEG[best]
    low, high = _HALF_ANGLES_DEG[best - 1], _HALF_ANGLES_DEG[best + 1]
    return float(np.clip(-coefficients[1] / (2.0 * coefficients[0]), low, high))


def _anisotropy(even: float, strength: float) -> float:
    """Return 1 for light from one side, 0 for even light; a third of directed light is enough for 1."""
    return min(1.0, 3.0 * strength / max(even + strength, 1e-9))


def _coverage(shading: Shading) -> float:
    """Return 1 when normals point in many directions, towards 0 when they lie in a plane or a few planes."""
    covariance = (shading.normals * shading.weights[:, None]).T @ shading.normals
    return min(1.0, float(np.linalg.eigvalsh(covariance)[0]) / 0.03)


def lit_and_shaded_ev(normals: Vector, levels: NDArray[np.floating], direction: Vector) -> float | None:
    """Return stops between the means of surfaces within 60° of the light and facing away; None without both."""
    cosines = normals @ direction
    lit, shaded = levels[cosines > 0.5], levels[cosines < -0.05]
    if min(len(lit), len(shaded)) < 0.005 * len(levels) or not len(lit) or not len(shaded):
        return None
    bright, dark = float(lit.mean()), float(shaded.mean())
    return math.log2(bright / dark) if dark > 1e-4 * bright > 0.0 else None
