"""The source that explains the shading of visible surfaces best, with the shadows that they cast on each other.

Sources of many directions are compared: lamps at two distances, distant points, and distant discs of three sizes. Each
lights a sample of the surfaces by Lambert's law, as far as nothing visible is in its way. Its strength is fitted
together with even light, which may come more from above than from below. A surface that is darker than the source would
make it may lie in the shadow of something out of view, at a cost; one that is brighter may not.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumenmill_captioner.measure.evidence import Evidence, Surface
from lumenmill_captioner.measure.orientation import spread_over_orientations
from lumenmill_captioner.measure.reflected import cosines_to_camera, gloss_of, reflected_shading
from lumenmill_captioner.measure.relief import Relief, is_occluded
from lumenmill_light.axes import Vector
from lumenmill_light.color import luminance
from lumenmill_light.spherical_harmonics import sphere_directions

__all__ = ["Found", "Samples", "sampled", "search"]

Array = NDArray[np.float32]

_NUM_SAMPLES = 700
_NUM_DIRECTIONS, _LOWEST_Y = 330, -0.5
# Distances of lamps as multiples of that of the subject from the camera, and half angles of distant discs in degrees.
_LAMP_DISTANCES, _DISC_HALF_ANGLES_DEG = (0.6, 1.2), (20.0, 45.0, 80.0)
# The front of the subject by rank of depth in the middle third. What is within this factor of it belongs to the
# subject, whose middle is as far behind as this part of the radius of the same area.
_FRONT_RANK, _FRONT_DEPTH, _BEHIND_FRONT = 25.0, 1.15, 0.9
_NUM_LAMPS = len(_LAMP_DISTANCES)
_POINT_KIND = _NUM_LAMPS
# Standard deviation of shading, of mean 1, that no source explains: this much, this much of its value, and this much of
# the gloss of the surface, which counts up to a limit.
_NOISE, _RELATIVE_NOISE, _GLOSS_NOISE, _MOST_GLOSS = 0.06, 0.12, 0.3, 5.0
# Cost, in variances, of a shadow that nothing visible casts, and the most that a surface can cost.
_SHADOW_COST, _MAX_COST = 4.0, 9.0
_NUM_FIRST_ROUNDS, _NUM_ROUNDS, _KEPT_PART = 2, 6, 0.2
# Steps in degrees at which the best direction is refined, and the distances of lamps that are tried there.
_REFINED_DEG, _REFINED_DISTANCES = (6.0, 3.0), (0.75, 1.0, 1.35)
# Directions whose source explains nearly as much, as a part of what the best one gains over even light.
_NEARLY = 0.15


@dataclass(frozen=True)
class Samples:
    """Sampled surfaces: positions (P, 3) and normals (P, 3) in camera space, height of normals (P,), shading (P,).

    Shading is without what surfaces reflect onto each other, over `level`, the mean of all shading without its highest
    values. deviation: (P,) standard deviation of shading that no source explains.
    """

    points: Vector
    normals: Vector
    normals_up: Array
    shading: Array
    deviation: Array
    level: float
    pixels: NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """The source that was found.

    Attributes:
        direction: unit vector (3,) towards it, from the subject, in camera space.
        lit: (P,) shading that it gives each sample, as `Samples.shading`, where no shadow falls.
        is_lit: (P,) samples that its light reaches.
        improvement: part of the cost of even light alone that it saves, 0 to 1; base: that cost.
        strength, even: shading of a surface that faces the source, and by even light, as `Samples.shading`.
        spread_deg: angle to the farthest direction whose source explains nearly as much.
        is_broad: whether the light is best explained by a source of more than a quarter of the sky.
    """

    direction: Vector
    lit: Vector
    is_lit: NDArray[np.bool_]
    improvement: float
    base: float
    strength: float
    even: float
    spread_deg: float
    is_broad: bool


def sampled(evidence: Evidence, surface: Surface, relief: Relief) -> Samples:
    """Return a sample of lit surfaces that covers all orientations."""
    has_depth = relief.depth.reshape(-1)[surface.pixels] > 0.0
    picked = np.flatnonzero(has_depth)[spread_over_orientations(surface.normals[has_depth], _NUM_SAMPLES)]
    normals, shown, pixels = surface.normals[picked], surface.luminance[picked], surface.pixels[picked]
    level = max(float(np.minimum(shown, np.percentile(shown, 95.0)).mean()), 1e-9) if len(shown) else 1.0
    points, in_camera = relief.positions.reshape(-1, 3)[pixels], normals @ evidence.camera_axes.T
    reflected = luminance(reflected_shading(relief, evidence.linear, points, in_camera))
    gloss = np.minimum(gloss_of(evidence, pixels, cosines_to_camera(points, in_camera)), _MOST_GLOSS)
    return Samples(
        points=points,
        normals=in_camera,
        normals_up=normals[:, 1].astype(np.float32),
        shading=((shown - reflected) / level).astype(np.float32),
        deviation=(_NOISE + _RELATIVE_NOISE * shown / level + _GLOSS_NOISE * gloss).astype(np.float32),
        level=level,
        pixels=pixels,
    )


def search(relief: Relief, camera_axes: Vector, samples: Samples) -> Found:
    """Return the source that explains the shading of the samples best; directions of samples are in camera space."""
    level = sphere_directions(_NUM_DIRECTIONS)
    directions = level[level[:, 1] > _LOWEST_Y] @ camera_axes.T
    subject = _subject(relief)
    columns = _columns(relief, samples, directions, subject)
    num_kinds, num_directions = columns.shape[1:]
    flat = columns.reshape(len(samples.shading), -1)
    base = float(_fit(np.zeros((len(flat), 1), np.float32), samples, 1).cost[0])
    kept = np.argsort(_fit(flat, samples, _NUM_FIRST_ROUNDS).cost, kind="stable")[: int(_KEPT_PART * flat.shape[1])]
    fitted = _fit(flat[:, kept], samples, _NUM_ROUNDS)
    best = int(np.argmin(fitted.cost))
    kind, index = divmod(int(kept[best]), num_directions)
    direction, lit, is_lit = directions[index], fitted.strength[best] * flat[:, kept[best]], fitted.is_lit[:, best]
    cost, strength, even = (float(part[best]) for part in (fitted.cost, fitted.strength, fitted.even))
    nearly = fitted.cost < cost + _NEARLY * (base - cost)
    spread = float(np.degrees(np.arccos(np.clip(directions[kept[nearly] % num_directions] @ direction, -1, 1))).max())
    for step_deg in _REFINED_DEG:
        around = _around(direction, step_deg)
        refined = _refined_columns(relief, samples, around, subject, kind)
        again = _fit(refined, samples, _NUM_ROUNDS)
        best = int(np.argmin(again.cost))
        direction = around[best % len(around)]
        if float(again.cost[best]) < cost:
            cost, strength, even = (float(part[best]) for part in (again.cost, again.strength, again.even))
            lit, is_lit = strength * refined[:, best], again.is_lit[:, best]
    improvement = (base - cost) / base if base > 0.0 else 0.0
    return Found(
        direction=direction,
        lit=lit.astype(np.float64),
        is_lit=is_lit,
        improvement=improvement,
        base=base,
        strength=strength,
        even=even,
        spread_deg=spread,
        is_broad=kind == num_kinds - 1,
    )


def _subject(relief: Relief) -> Vector:
    """Return the position (3,) of the subject: in the middle of the picture, as far behind its front as it is wide."""
    height, width = relief.depth.shape
    middle = relief.depth[height // 3 : 2 * height // 3 + 1, width // 3 : 2 * width // 3 + 1]
    seen = middle[middle > 0.0] if (middle > 0.0).any() else relief.depth[relief.depth > 0.0]
    front = float(np.percentile(seen, _FRONT_RANK))
    area = float((seen < _FRONT_DEPTH * front).sum()) * (front / relief.focal_px) ** 2
    return np.array([0.0, 0.0, -front - _BEHIND_FRONT * math.sqrt(area / math.pi)])


def _columns(relief: Relief, samples: Samples, directions: Vector, subject: Vector) -> Array:
    """Return what sources of strength 1 give each sample, (P, kinds, D): lamps, the nearest first, points and discs."""
    lamps = [_lamps(relief, samples, directions, subject, distance) for distance in _LAMP_DISTANCES]
    points = _points(relief, samples, directions)
    cosines = directions @ directions.T
    discs = []
    for half_angle_deg in _DISC_HALF_ANGLES_DEG:
        edge = math.cos(math.radians(half_angle_deg))
        inside = (cosines >= edge).astype(np.float32)
        discs.append(points @ (inside / inside.sum(axis=0)) * np.float32(2.0 / (1.0 + edge)))
    return np.stack([*lamps, points, *discs], axis=1)


def _points(relief: Relief, samples: Samples, directions: Vector) -> Array:
    cosines = np.maximum(samples.normals @ directions.T, 0.0).astype(np.float32)
    return cosines * ~is_occluded(relief, samples.points, directions[None].astype(np.float32))


def _lamps(relief: Relief, samples: Samples, directions: Vector, subject: Vector, distance_ratio: float) -> Array:
    distance = -distance_ratio * float(subject[2])
    toward = (subject + distance * directions - samples.points[:, None]).astype(np.float32)
    lengths = np.linalg.norm(toward, axis=-1)
    toward /= np.maximum(lengths, 1e-9)[..., None]
    cosines = np.maximum(np.einsum("pdc,pc->pd", toward, samples.normals.astype(np.float32)), 0.0)
    # Irradiance is that at the subject; very close to a lamp it does not grow without limit.
    falloff = np.float32(distance**2) / np.maximum(lengths, np.float32(0.3 * distance)) ** 2
    return np.asarray(cosines * falloff * ~is_occluded(relief, samples.points, toward, lengths))


def _refined_columns(relief: Relief, samples: Samples, directions: Vector, subject: Vector, kind: int) -> Array:
    if kind >= _POINT_KIND:
        return _points(relief, samples, directions)
    ratios = [_LAMP_DISTANCES[kind] * factor for factor in _REFINED_DISTANCES]
    return np.concatenate([_lamps(relief, samples, directions, subject, ratio) for ratio in ratios], axis=1)


def _around(direction: Vector, step_deg: float) -> Vector:
    """Return 25 directions (25, 3) in a grid about one."""
    helper = np.eye(3)[int(np.argmin(np.abs(direction)))]
    right = np.cross(direction, helper) / np.linalg.norm(np.cross(direction, helper))
    steps = np.tan(np.radians(step_deg * np.arange(-2, 3)))
    x, y = np.meshgrid(steps, steps)
    grid = direction + x.reshape(-1, 1) * right + y.reshape(-1, 1) * np.cross(right, direction)
    return np.asarray(grid / np.linalg.norm(grid, axis=-1, keepdims=True))


@dataclass(frozen=True)
class _Fitted:
    """Costs (C,) and strengths (C,) of sources, even light (C,), and the samples that their light reaches (P, C)."""

    cost: Array
    strength: Array
    even: Array
    is_lit: NDArray[np.bool_]


def _fit(columns: Array, samples: Samples, num_rounds: int) -> _Fitted:
    """Fit the strength of each source (P, C) with even light; shadows and outliers are found again in each round."""
    shading, up = samples.shading[:, None], samples.normals_up[:, None]
    precision = 1.0 / samples.deviation[:, None] ** 2
    even = np.full(columns.shape[1], np.percentile(shading, 10.0), np.float32)
    tilt = np.zeros_like(even)
    gain = (columns * precision * (shading - even)).sum(axis=0)
    strength = np.maximum(gain / ((columns**2 * precision).sum(axis=0) + 1e-6), 0.0)
    ridge = 1e-3 * float(precision.mean()) * np.eye(3)
    for _ in range(num_rounds):
        in_shadow = (shading - even - up * tilt) ** 2 * precision + _SHADOW_COST
        in_light = (shading - even - up * tilt - columns * strength) ** 2 * precision
        weights = (np.minimum(in_shadow, in_light) < _MAX_COST) * precision
        lit = columns * (in_light <= in_shadow) * weights
        moments = [
            [weights.sum(0), (weights * up).sum(0), lit.sum(0)],
            [(weights * up).sum(0), (weights * up * up).sum(0), (lit * up).sum(0)],
            [lit.sum(0), (lit * up).sum(0), (lit * columns).sum(0)],
        ]
        target = np.stack([(part * shading).sum(0) for part in (weights, weights * up, lit)], axis=-1)
        solved = np.linalg.solve(np.moveaxis(np.array(moments, np.float64), -1, 0) + ridge, target[..., None])[..., 0]
        even, strength = (np.maximum(solved[:, part], 0.0).astype(np.float32) for part in (0, 2))
        tilt = solved[:, 1].astype(np.float32)
    in_shadow = (shading - even - up * tilt) ** 2 * precision + _SHADOW_COST * (columns * strength > 0.05)
    in_light = (shading - even - up * tilt - columns * strength) ** 2 * precision
    cost = np.minimum(np.minimum(in_shadow, in_light), _MAX_COST).mean(axis=0)
    return _Fitted(cost, strength, even, in_light <= in_shadow)
