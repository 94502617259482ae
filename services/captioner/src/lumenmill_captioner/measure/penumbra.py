"""Size of a light source from the shadows that it casts, on surfaces whose normals and depth are known.

A source of angular size θ blurs the edge of a shadow into a penumbra. Projected along the light, its width is
2·t·tan(θ/2), where t is the distance from the edge to the occluder. Widths are measured at steps of shading on smooth
surfaces; t is found by tracing rays towards the light through the depth map. A width is the height of the step over its
steepest slope, times 4 / π for a disc, whose edge-spread function is steepest at its centre by that factor.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lumenmill_captioner.measure.relief import Relief, occluder_distances, weighted_rank

__all__ = ["CastShadows", "cast_shadows"]

Vector = NDArray[np.float64]
Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Shadows are measured on surfaces whose cosine to the light exceeds this; near grazing angles lies the terminator.
_MIN_COSINE = 0.2
# Half the side of the squares over which a surface must be smooth, the largest variation of a normal in them, and the
# largest second difference of inverse depth, as a part of it, within one surface.
_SMOOTH_PX, _SMOOTH_NORMAL, _MAX_BREAK = 3, 0.15, 0.003
# A step is an edge when it is this part of the brightest shading; profiles end where they rise by less, per pixel.
_MIN_STEP, _MIN_SLOPE, _FLAT = 0.3, 0.006, 0.002
_MAX_EDGES = 1500
# Profiles reach this part of the longer side to each side, in this many steps at most one pixel long.
_PROFILE_PART = 0.2
# Measured width in pixels of a perfectly sharp edge, due to antialiasing, denoising and the filters used here.
_BLUR_PX = 2.5
# The size is this rank of the sizes of all edges, weighted by their resolution: disturbances, such as an invisible part
# of the occluder, widen an edge more often than they narrow it.
_RANK = 0.35
# Numbers of edges as parts of the longer side of the picture: the least for a size; the least outline of expected
# shadows, and the most edges, for light that casts no shadows.
_MIN_EDGES, _MIN_OUTLINE, _MAX_STRAY_EDGES = 0.075, 0.1, 0.03


@dataclass(frozen=True)
class CastShadows:
    """The size of a source by the shadows that it casts.

    Attributes:
        size_deg: its angular size, None where too few edges are visible.
        num_edges: edges whose occluder is visible too.
        resolution_deg: the median size that a perfectly sharp edge would be measured as, None without a size.
        are_missing: whether shadows should fall on visible surfaces and none has an edge, as under a broad source.
    """

    size_deg: float | None
    num_edges: int
    resolution_deg: float | None
    are_missing: bool


def cast_shadows(relief: Relief, shading: Array, direction: Vector) -> CastShadows:
    """Return the size of a source by the shadows that it casts.

    Args:
        relief: visible surfaces.
        shading: (H, W) luminance of irradiance / π, NaN where it is unknown.
        direction: unit vector towards the source in camera space.
    """
    side_px = max(shading.shape)
    usable = np.isfinite(shading) & (relief.depth > 0.0) & (relief.normals @ direction > _MIN_COSINE)
    usable = np.asarray(ndimage.minimum_filter(usable & _smooth(relief), 2 * _SMOOTH_PX + 1))
    edges = _edges(relief, shading, usable, direction)
    distances = occluder_distances(relief, edges.shadow_points, direction)
    occluded = np.isfinite(distances)
    num_edges = int(occluded.sum())
    if num_edges < _MIN_EDGES * side_px:
        are_missing = (
            len(occluded) < _MAX_STRAY_EDGES * side_px
            and _outline_px(relief, usable, direction) >= _MIN_OUTLINE * side_px
        )
        return CastShadows(None, num_edges, None, are_missing)
    blur = edges.widths[occluded] * np.minimum(_BLUR_PX / edges.widths_px[occluded], 1.0)
    sharp = np.sqrt(np.maximum(edges.widths[occluded] ** 2 - blur**2, 0.0))
    sizes, resolutions = (2.0 * np.degrees(np.arctan2(part / 2.0, distances[occluded])) for part in (sharp, blur))
    weights = 1.0 / (resolutions + 1.0)
    size_deg = weighted_rank(sizes, weights, _RANK)
    return CastShadows(size_deg, num_edges, weighted_rank(resolutions, weights, 0.5), are_missing=False)


def _outline_px(relief: Relief, usable: Mask, direction: Vector) -> int:
    """Return the length of the outlines, in steps of two pixels, of the shadows that should fall on usable surfaces."""
    every_other = usable[::2, ::2]
    shaded = np.zeros(every_other.shape, bool)
    shaded[every_other] = np.isfinite(occluder_distances(relief, relief.positions[::2, ::2][every_other], direction))
    changes = [
        (shaded[1:] != shaded[:-1]) & every_other[1:] & every_other[:-1],
        (shaded[:, 1:] != shaded[:, :-1]) & every_other[:, 1:] & every_other[:, :-1],
    ]
    return sum(int(change.sum()) for change in changes)


@dataclass(frozen=True)
class _Edges:
    """Widths of penumbras across the light (E,), the same in pixels, and points on their shadowed side (E, 3)."""

    widths: Vector
    widths_px: Vector
    shadow_points: Vector


def _edges(relief: Relief, shading: Array, usable: Mask, direction: Vector) -> _Edges:
    if int(usable.sum()) < 100:
        return _Edges(np.zeros(0), np.zeros(0), np.zeros((0, 3)))
    level = float(np.percentile(shading[usable], 95.0))
    values = ndimage.gaussian_filter(np.nan_to_num(shading.astype(np.float64)), 0.7) / max(level, 1e-9)
    down_v, down_u = (ndimage.sobel(values, axis) / 8.0 for axis in (0, 1))
    steep = np.hypot(down_u, down_v)
    unit_v, unit_u = down_v / np.maximum(steep, 1e-12), down_u / np.maximum(steep, 1e-12)
    rows, columns = np.nonzero(usable & (steep > _MIN_SLOPE) & _is_ridge(steep, unit_v, unit_u))
    strongest = np.argsort(-steep[rows, columns], kind="stable")[:_MAX_EDGES]
    rows, columns = rows[strongest], columns[strongest]
    step, low_rows, low_columns = _steps(values, usable, rows, columns, unit_v[rows, columns], unit_u[rows, columns])
    kept = step >= _MIN_STEP
    rows, columns, step = rows[kept], columns[kept], step[kept]
    positions = relief.positions
    slope = _slope_across_light(positions, direction, down_v, down_u)[rows, columns]
    widths = 4.0 / math.pi * step / np.maximum(slope, 1e-12)
    return _Edges(widths, step / steep[rows, columns], positions[low_rows[kept], low_columns[kept]])


def _smooth(relief: Relief) -> Mask:
    """Return where surfaces are flat and continuous; over a plane inverse depth has no second differences."""
    side, normals = 2 * _SMOOTH_PX + 1, relief.normals
    near = 1.0 / np.maximum(relief.depth, 1e-9)
    breaks = np.abs(ndimage.laplace(near)) > _MAX_BREAK * near
    ranges = [
        ndimage.maximum_filter(normals[..., axis], side) - ndimage.minimum_filter(normals[..., axis], side)
        for axis in range(3)
    ]
    return np.asarray((np.max(ranges, axis=0) < _SMOOTH_NORMAL) & ~breaks)


def _is_ridge(steep: Vector, unit_v: Vector, unit_u: Vector) -> Mask:
    """Return whether the slope is greatest along its own direction, (H, W)."""
    rows, columns = np.indices(steep.shape)
    ahead, behind = (
        ndimage.map_coordinates(steep, [rows + k * unit_v, columns + k * unit_u], order=1, mode="nearest")
        for k in (1.0, -1.0)
    )
    return np.asarray((steep >= ahead) & (steep >= behind))


def _steps(
    values: Vector, usable: Mask, rows: NDArray[np.int64], columns: NDArray[np.int64], unit_v: Vector, unit_u: Vector
) -> tuple[Vector, NDArray[np.int64], NDArray[np.int64]]:
    """Return the height of the step at each edge, 0 unless it levels out on usable surfaces, and its lower end."""
    reach = max(round(_PROFILE_PART * max(values.shape)), 8)
    along = np.arange(reach + 1)
    ends, heights, levelled = [], [], []
    for sign in (1.0, -1.0):
        v = rows[:, None] + sign * along * unit_v[:, None]
        u = columns[:, None] + sign * along * unit_u[:, None]
        profile = sign * ndimage.map_coordinates(values, [v, u], order=1, mode="nearest")
        inside = ndimage.map_coordinates(usable.astype(np.float32), [v, u], order=0, mode="constant") > 0.5
        is_rising = inside[:, 1:] & (np.diff(profile, axis=1) > _FLAT)
        end = np.argmin(np.concatenate([is_rising, np.zeros((len(rows), 1), bool)], axis=1), axis=1)
        each = np.arange(len(rows))
        levelled.append((end < reach) & inside[each, np.minimum(end + 1, reach)])
        heights.append(sign * profile[each, end])
        ends.append((v[each, end], u[each, end]))
    step = np.where(levelled[0] & levelled[1], heights[0] - heights[1], 0.0)
    low_v, low_u = (np.rint(part).astype(np.int64) for part in ends[1])
    return step, np.clip(low_v, 0, values.shape[0] - 1), np.clip(low_u, 0, values.shape[1] - 1)


def _slope_across_light(positions: Vector, direction: Vector, down_v: Vector, down_u: Vector) -> Vector:
    """Return the gradient of a picture, given per pixel, per length in the plane normal to the light, (H, W)."""
    helper = np.eye(3)[int(np.argmin(np.abs(direction)))]
    first = np.cross(direction, helper) / np.linalg.norm(np.cross(direction, helper))
    plane = positions @ np.stack([first, np.cross(direction, first)], axis=-1)
    v, u = np.gradient(plane, axis=(0, 1))
    area = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    across = (down_u * v[..., 1] - down_v * u[..., 1]) / area, (down_v * u[..., 0] - down_u * v[..., 0]) / area
    return np.asarray(np.hypot(*across))
