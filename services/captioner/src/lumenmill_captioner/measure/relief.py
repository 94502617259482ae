"""Visible surfaces from their depth and normals, and rays through them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Relief", "is_occluded", "occluder_distances", "relief_of", "weighted_rank"]

Vector = NDArray[np.float64]
Array = NDArray[np.float32]

# Rays to the light are traced between these multiples of the depth of the edge, in geometric steps. Objects are assumed
# to be at most this thick, as a part of their depth.
_RAY_START, _RAY_END, _RAY_STEPS, _THICKNESS = 0.006, 0.8, 96, 0.25
_RAY_MARGIN = 0.008
# Rays that are traced together; each takes some six kilobytes.
_RAYS_AT_ONCE = 8192
# Steps of rays that only find out whether anything is in the way, and the nearest of them.
_FEWER_STEPS, _FEWER_START, _FEWER_END = 28, 0.008, 0.9


@dataclass(frozen=True)
class Relief:
    """Visible surfaces in camera space (x right, y up, z towards the camera).

    Attributes:
        depth: (H, W) distance along the viewing axis, 0 where there is no surface.
        normals: (H, W, 3) unit vectors, 0 where there is no surface.
        focal_px: focal length in pixels; the principal point is the middle.
    """

    depth: Vector
    normals: Vector
    focal_px: float

    @property
    def positions(self) -> Vector:
        """Return the position of the surface in each pixel, (H, W, 3)."""
        x, y = _centred(self.depth.shape)
        return np.stack([x * self.depth, -y * self.depth, -self.focal_px * self.depth], axis=-1) / self.focal_px


def relief_of(depth: Array, normals: Array, focal_px: float | None = None) -> Relief | None:
    """Return visible surfaces, or None where depth and normals do not agree on a focal length.

    A focal length that is not given follows from both: a surface's normal is perpendicular to the steps between the
    positions of neighbouring pixels, whose size depends on it.

    Args:
        depth: (H, W) along the viewing axis, 0 for no surface.
        normals: (H, W, 3) in camera space.
        focal_px: focal length in pixels where the camera is known.
    """
    z, n = depth.astype(np.float64), normals.astype(np.float64)
    if focal_px is not None:
        return Relief(z, n, focal_px) if (z > 0.0).any() else None
    x, y = _centred(z.shape)
    z_v, z_u = np.gradient(z)
    smooth = (z > 0.0) & (np.linalg.norm(n, axis=-1) > 0.9) & (np.hypot(z_u, z_v) < 0.03 * z)
    along_u = (n[..., 0] * (z + x * z_u) - n[..., 1] * y * z_u, n[..., 2] * z_u)
    along_v = (n[..., 0] * x * z_v - n[..., 1] * (z + y * z_v), n[..., 2] * z_v)
    above = np.concatenate([along_u[0][smooth], along_v[0][smooth]])
    below = np.concatenate([along_u[1][smooth], along_v[1][smooth]])
    usable = np.abs(below) > (np.percentile(np.abs(below), 50.0) if len(below) else 0.0)
    if usable.sum() < 100:
        return None
    focal_px = weighted_rank(above[usable] / below[usable], np.abs(below[usable]), 0.5)
    return Relief(z, n, focal_px) if 0.2 * max(z.shape) < focal_px < 50.0 * max(z.shape) else None


def is_occluded(relief: Relief, points: Vector, directions: Array, lengths: Array | None = None) -> NDArray[np.bool_]:
    """Return whether a visible surface is in the way of rays, (P, D).

    Args:
        relief: visible surfaces.
        points: (P, 3) starts of the rays in camera space.
        directions: (P, D, 3) unit vectors, or (1, D, 3) where they are the same for all points.
        lengths: (P, D) lengths of the rays; None where they have no end.
    """
    start = points.astype(np.float32)[:, None]
    height, width = relief.depth.shape
    depth, focal_px = relief.depth.astype(np.float32), np.float32(relief.focal_px)
    found = np.zeros((len(points), directions.shape[1]), np.bool_)
    flat = found.reshape(-1)
    for factor in np.geomspace(_FEWER_START, _FEWER_END, _FEWER_STEPS, dtype=np.float32):
        step = -factor * start[..., 2]
        z = -(start[..., 2] + step * directions[..., 2])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            u = (start[..., 0] + step * directions[..., 0]) / z * focal_px + np.float32((width - 1) / 2.0)
            v = -(start[..., 1] + step * directions[..., 1]) / z * focal_px + np.float32((height - 1) / 2.0)
            seen = (z > 0.0) & (u >= 0.0) & (v >= 0.0) & (u <= width - 1.0) & (v <= height - 1.0) & ~found
        if lengths is not None:
            seen &= step < lengths
        index = np.flatnonzero(seen)
        rows, columns = (np.rint(part.reshape(-1)[index]).astype(np.int32) for part in (v, u))
        surface, behind = depth[rows, columns], z.reshape(-1)[index]
        flat[
            index[(surface > 0.0) & (behind > surface * (1.0 + _RAY_MARGIN)) & (behind < surface * (1.0 + _THICKNESS))]
        ] = True
    return found


def occluder_distances(relief: Relief, points: Vector, direction: Vector) -> Vector:
    """Return the distance from points (E, 3) to the first visible occluder towards the light; NaN without one."""
    blocks = [points[start : start + _RAYS_AT_ONCE] for start in range(0, len(points), _RAYS_AT_ONCE)]
    found = [_occluder_distances_of_block(relief, block, direction) for block in blocks]
    return np.concatenate(found) if found else np.zeros(0)


def _occluder_distances_of_block(relief: Relief, points: Vector, direction: Vector) -> Vector:
    steps = np.geomspace(_RAY_START, _RAY_END, _RAY_STEPS) * -points[:, 2:]
    z = -(points[:, None, 2] + steps * direction[2])
    height, width = relief.depth.shape
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (points[:, None, 0] + steps * direction[0]) / z * relief.focal_px + (width - 1) / 2.0
        v = -(points[:, None, 1] + steps * direction[1]) / z * relief.focal_px + (height - 1) / 2.0
        seen = (z > 0.0) & (u >= 0.0) & (v >= 0.0) & (u <= width - 1.0) & (v <= height - 1.0)
    rows, columns = (np.where(seen, np.rint(part), 0.0).astype(np.int64) for part in (v, u))
    surface = np.where(seen, relief.depth[rows, columns], 0.0)
    behind = (surface > 0.0) & (z > surface * (1.0 + _RAY_MARGIN)) & (z < surface * (1.0 + _THICKNESS))
    first = np.argmax(behind, axis=1)
    found = behind.any(axis=1)
    return np.asarray(np.where(found, steps[np.arange(len(points)), first], np.nan))


def weighted_rank(values: Vector, weights: Vector, rank: float) -> float:
    """Return the value below which `rank` of the weight lies."""
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weights[order])
    return float(values[order][min(int(np.searchsorted(mass, rank * mass[-1])), len(values) - 1)])


def _centred(shape: tuple[int, ...]) -> tuple[Vector, Vector]:
    """Return columns and rows of the pixels from the middle of the picture."""
    rows, columns = np.indices(shape[:2], dtype=np.float64)
    return columns - (shape[1] - 1) / 2.0, rows - (shape[0] - 1) / 2.0
