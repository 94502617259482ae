"""Build surfaces of revolution and swept tubes."""

from collections.abc import Sequence

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Array, Mesh, grid_mesh, merged, normalized

__all__ = ["NUM_SECTORS", "Profile", "revolved", "smooth_curve", "tube", "turned", "unit_vectors", "vessel"]

NUM_SECTORS = 128
Profile = Sequence[tuple[float, float]]


def smooth_curve(points: Profile | Array, num_samples: int) -> Array:
    """Return a uniform Catmull-Rom spline through the points, (num_samples, D), ends included."""
    knots = np.asarray(points, float)
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    position = np.linspace(0, len(knots) - 1 - 1e-9, num_samples)
    index = position.astype(int)
    t = (position - index)[:, None]
    p0, p1, p2, p3 = (padded[index + offset] for offset in range(4))
    return np.asarray(
        0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    )


def revolved(profile_n2: Array, num_sectors: int = NUM_SECTORS) -> Mesh:
    """Return the surface of a smooth profile (radius, height) about +Y; the outside is to the left of the profile."""
    angle = np.linspace(0, 2 * np.pi, num_sectors + 1)
    radius, height = np.maximum(profile_n2[:, 0], 0), profile_n2[:, 1]
    points = np.stack(
        [
            radius[:, None] * np.sin(angle),
            np.broadcast_to(height[:, None], (len(height), len(angle))),
            radius[:, None] * np.cos(angle),
        ],
        axis=-1,
    )
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(profile_n2, axis=0), axis=1))])
    girth = 2 * np.pi * max(float(radius.max()), 1e-6)
    uv = np.stack(np.broadcast_arrays(angle / (2 * np.pi) * girth, length[:, None]), axis=-1)
    return grid_mesh(points, np.asarray(uv, float))


def turned(segments: Sequence[Profile], samples_per_metre: float = 500.0) -> Mesh:
    """Build a surface of revolution of several smooth profiles that meet in edges."""
    meshes = []
    for segment in segments:
        knots = np.asarray(segment, float)
        length = float(np.linalg.norm(np.diff(knots, axis=0), axis=1).sum())
        num_samples = int(np.clip(length * samples_per_metre, 4, 220))
        meshes.append(revolved(smooth_curve(knots, num_samples)))
    return merged(meshes)


def vessel(outer: Profile, thickness: float, floor_height: float = 0.012) -> Mesh:
    """Build an open vessel: outer wall from foot to rim, a rounded rim, the inner wall, and a flat foot.

    ``outer`` gives (radius, height) from the foot upwards; ``thickness`` is that of the wall in metres.
    """
    outer_n2 = smooth_curve(outer, 110)
    tangent = unit_vectors(np.gradient(outer_n2, axis=0))
    inner = outer_n2 + thickness * np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    inner = inner[(inner[:, 1] > outer_n2[0, 1] + floor_height) & (inner[:, 0] > 1e-3)][::-1]
    rim_center = (outer_n2[-1] + inner[0]) / 2
    arm = outer_n2[-1] - rim_center
    turn = np.linspace(0, np.pi, 9)[1:-1]
    rim = rim_center + np.cos(turn)[:, None] * arm + np.sin(turn)[:, None] * np.array([-arm[1], arm[0]])
    floor = np.array([[inner[-1, 0] * 0.6, inner[-1, 1] - 0.002], [0.0, inner[-1, 1] - 0.003]])
    wall = np.concatenate([outer_n2, rim, inner, floor])
    foot = np.array([[0.0, outer_n2[0, 1]], [outer_n2[0, 0], outer_n2[0, 1]]])
    return merged([revolved(wall), revolved(foot)])


def unit_vectors(vectors: Array) -> Array:
    """Return unit vectors of any dimension."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))


def tube(
    path: Sequence[Sequence[float]] | Array,
    radii: Sequence[float] | float,
    num_sides: int = 28,
    num_samples: int = 72,
    flatness: float = 1.0,
    closed: bool = False,
) -> Mesh:
    """Build a tube along a smooth path (N, 3) with a radius at each of its points; the ends close to a point.

    ``flatness`` scales the section along its second axis: below 1 gives a strap.
    """
    knots = np.asarray(path, float)
    center = smooth_curve(knots, num_samples)
    radius = np.interp(
        np.linspace(0, 1, num_samples), np.linspace(0, 1, np.size(radii)), np.atleast_1d(np.asarray(radii, float))
    )
    if not closed:
        center = np.concatenate([center[:1], center, center[-1:]])
        radius = np.concatenate([[1e-5], radius, [1e-5]])
    tangent = normalized(np.gradient(center, axis=0))
    if not closed:
        tangent[0], tangent[-1] = tangent[1], tangent[-2]
    normal = np.empty_like(tangent)
    start = np.array([0.0, 0.0, 1.0]) if abs(tangent[0, 2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    for index, direction in enumerate(tangent):
        start = start - direction * (start @ direction)
        start = start / np.linalg.norm(start)
        normal[index] = start
    binormal = np.cross(tangent, normal)
    angle = np.linspace(0, 2 * np.pi, num_sides + 1)
    points = center[:, None] + radius[:, None, None] * (
        np.cos(angle)[:, None] * normal[:, None] + flatness * np.sin(angle)[:, None] * binormal[:, None]
    )
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(center, axis=0), axis=1))])
    girth = 2 * np.pi * float(radius.max())
    uv = np.stack(np.broadcast_arrays(angle / (2 * np.pi) * girth, length[:, None]), axis=-1)
    return grid_mesh(points, np.asarray(uv, float))
