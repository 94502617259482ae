"""Build solids from formulas: boxes, superellipsoids, gears, knots."""

import itertools
from collections.abc import Sequence

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Array, Mesh, grid_mesh, merged, moved, normalized, with_smooth_normals
from lumenmill_studio.scenes.shapes.turned import tube

__all__ = [
    "box",
    "displaced",
    "extruded",
    "gear",
    "pyramid",
    "seashell",
    "standing_box",
    "superellipsoid",
    "torus",
    "torus_knot",
]


def box(size: Sequence[float], bevel: float = 0.004, center: Sequence[float] = (0.0, 0.0, 0.0)) -> Mesh:
    """Build a box of ``size`` (x, y, z) with rounded edges of radius ``bevel``, texture coordinates along its faces.

    The v axis of the texture runs along the longest edge of each face, so that wood grain follows the plank.
    """
    half = np.asarray(size, float) / 2
    bevel = min(bevel, float(half.min()) * 0.95)
    meshes = [_box_side(half, bevel, axis, sign) for axis in range(3) for sign in (-1.0, 1.0)]
    return moved(merged(meshes), center)


def _box_side(half_3: Array, bevel: float, axis: int, sign: float) -> Mesh:
    first, second = (axis + 1) % 3, (axis + 2) % 3
    u, v = np.meshgrid(_edge_steps(half_3[first], bevel), _edge_steps(half_3[second], bevel), indexing="ij")
    points = np.empty((*u.shape, 3))
    points[..., axis], points[..., first], points[..., second] = sign * half_3[axis], u, v
    core = np.clip(points, -(half_3 - bevel), half_3 - bevel)
    normals = normalized(points - core)
    rounded = core + bevel * normals
    long_first = half_3[first] > half_3[second]
    uv = np.stack([v, u] if long_first else [u, v], axis=-1) + 0.37 * (axis * 2 + (sign > 0))
    if sign < 0:
        rounded, normals, uv = rounded[::-1], normals[::-1], uv[::-1]
    side = grid_mesh(rounded, uv)
    return Mesh(side.vertices_v3, side.faces_f3, side.uv_v2, normals.reshape(-1, 3))


def _edge_steps(half: float, bevel: float) -> Array:
    arc = half - bevel + bevel * np.tan(np.linspace(0, np.pi / 4, 4))
    return np.concatenate([-arc[::-1], arc])


def superellipsoid(size: Sequence[float], roundness: float = 1.0, num_rows: int = 96, num_columns: int = 160) -> Mesh:
    """Build a superellipsoid standing on y = 0: roundness 1 is an ellipsoid, 0.2 nearly a box (Barr, 1981)."""
    half = np.asarray(size, float) / 2
    latitude = np.linspace(-np.pi / 2, np.pi / 2, num_rows)[:, None]
    longitude = np.linspace(0, 2 * np.pi, num_columns)[None, :]
    ring = _power(np.cos(latitude), roundness)
    points = np.stack(
        np.broadcast_arrays(
            half[0] * ring * _power(np.sin(longitude), roundness),
            half[1] * _power(np.sin(latitude), roundness) + half[1],
            half[2] * ring * _power(np.cos(longitude), roundness),
        ),
        axis=-1,
    )
    uv = np.stack(np.broadcast_arrays(longitude * half[0], latitude * half[1]), axis=-1)
    return grid_mesh(points, np.asarray(uv, float))


def _power(value: Array, exponent: float) -> Array:
    return np.asarray(np.sign(value) * np.abs(value) ** exponent)


def torus_knot(p: int, q: int, radius: float, thickness: float) -> Mesh:
    """Build a (p, q) torus knot standing on y = 0, ``radius`` of its torus and ``thickness`` of its tube in metres."""
    t = np.linspace(0, 2 * np.pi, 600)
    ring = 1 + 0.42 * np.cos(q * t)
    path = radius * np.stack([ring * np.cos(p * t), ring * np.sin(p * t), 0.42 * np.sin(q * t)], 1)
    mesh = tube(path, thickness, num_sides=32, num_samples=600, closed=True)
    return moved(mesh, (0.0, -float(mesh.lower[1]), 0.0))


def torus(radius: float, thickness: float) -> Mesh:
    """Build a ring lying in the xy plane and standing on y = 0."""
    t = np.linspace(0, 2 * np.pi, 160)
    path = radius * np.stack([np.cos(t), np.sin(t), np.zeros_like(t)], 1)
    mesh = tube(path, thickness, num_sides=48, num_samples=160, closed=True)
    return moved(mesh, (0.0, -float(mesh.lower[1]), 0.0))


def extruded(outline_n2: Array, holes_n2: Array | None, depth: float) -> Mesh:
    """Build a star-shaped outline (N, 2) about the origin, extruded along z by ``depth``, with an optional hole of N
    points."""
    outer = np.concatenate([outline_n2, outline_n2[:1]])
    inner = outer * 0.0 if holes_n2 is None else np.concatenate([holes_n2, holes_n2[:1]])
    rings = [(inner, 0.5), (outer, 0.5), (outer, -0.5), (inner, -0.5)]
    if holes_n2 is not None:
        rings.append((inner, 0.5))
    sheets = []
    for (ring_a, side_a), (ring_b, side_b) in itertools.pairwise(rings):
        points = np.stack([_ring(ring_b, side_b * depth), _ring(ring_a, side_a * depth)])
        sheets.append(_flat_sheet(points))
    return merged(sheets)


def _ring(ring_n2: Array, z: float) -> Array:
    return np.concatenate([ring_n2, np.full((len(ring_n2), 1), z)], axis=1)


def _flat_sheet(points_rc3: Array) -> Mesh:
    sheet = grid_mesh(points_rc3, points_rc3[..., :2])
    return Mesh(sheet.vertices_v3, sheet.faces_f3, sheet.uv_v2)


def gear(num_teeth: int, radius: float, depth: float) -> Mesh:
    """Build a spur gear standing on y = 0 with a bore in its middle."""
    per_tooth = np.array([0.0, 0.18, 0.30, 0.62, 0.74, 1.0])[:-1]
    level = np.array([0.86, 0.86, 1.0, 1.0, 0.86])
    angle = ((np.arange(num_teeth)[:, None] + per_tooth) / num_teeth * 2 * np.pi).ravel()
    reach = radius * np.tile(level, num_teeth)
    outline = np.stack([reach * np.cos(angle), reach * np.sin(angle)], 1)
    bore = 0.32 * radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    hub = 0.46 * radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    mesh = merged([extruded(outline, bore, depth), extruded(hub, bore * 0.999, depth * 1.35)])
    return moved(mesh, (0.0, -float(mesh.lower[1]), 0.0))


def seashell(num_turns: float, height: float) -> Mesh:
    """Build a spiral shell: a tube that grows exponentially along a helix (Raup's model of coiling), lying on y = 0."""
    t = np.linspace(-num_turns * 2 * np.pi, 0, 460)
    growth = np.exp(0.155 * t)
    angle = np.linspace(0, 2 * np.pi, 73)
    ribs = 1 + 0.05 * np.sin(t * 9)[:, None] * (0.4 + 0.6 * np.sin(angle) ** 2)
    mouth = 0.62 * growth[:, None] * ribs
    reach = growth[:, None] + mouth * np.cos(angle)
    points = np.stack(
        [
            reach * np.cos(t)[:, None],
            -2.35 * growth[:, None] + mouth * 1.15 * np.sin(angle),
            reach * np.sin(t)[:, None],
        ],
        axis=-1,
    )
    points *= height / float(np.ptp(points[..., 1]))
    uv = np.stack(np.broadcast_arrays(angle * 0.02, t[:, None] * 0.02), axis=-1)
    mesh = grid_mesh(points[:, ::-1], np.asarray(uv, float))
    return moved(mesh, (0.0, -float(mesh.lower[1]), 0.0))


def pyramid(lower_half: float, upper_half: float, height: float, tip_height: float) -> Mesh:
    """Build an obelisk: a square shaft that tapers, and a pyramid on it, standing on y = 0; faceted."""
    square = np.array([[1, -1], [1, 1], [-1, 1], [-1, -1], [1, -1]], float)[::-1]
    levels = [(0.0, lower_half), (height, upper_half), (height + tip_height, 1e-4)]
    points = np.stack([np.stack([square[:, 0] * h, np.full(5, y), square[:, 1] * h], 1) for y, h in levels])
    uv = np.stack(np.broadcast_arrays(np.arange(5) * lower_half * 2, points[..., 1]), axis=-1)
    sheet = grid_mesh(points[:, ::-1], np.asarray(uv, float))
    return Mesh(sheet.vertices_v3, sheet.faces_f3, sheet.uv_v2)


def displaced(mesh: Mesh, offsets_v: Array) -> Mesh:
    """Return the mesh with every vertex moved along its normal by ``offsets_v`` (V,) metres."""
    smooth = mesh if mesh.normals_v3 is not None else with_smooth_normals(mesh)
    normals = smooth.normals_v3
    if normals is None:
        raise ValueError("a mesh without normals cannot be displaced")
    return with_smooth_normals(
        Mesh(smooth.vertices_v3 + normals * offsets_v[:, None], smooth.faces_f3, smooth.uv_v2, None)
    )


def standing_box(size: Sequence[float], at: Sequence[float] = (0.0, 0.0, 0.0), bevel: float = 0.005) -> Mesh:
    """Build a box whose bottom centre is ``at``."""
    return box(size, bevel, (at[0], at[1] + size[1] / 2, at[2]))
