"""Define triangle meshes, and the operations that builders of shapes share.

Axes are those of ``light.proto``: right-handed, +Y up. Lengths are in metres. Legend: V vertices, F triangles.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lumenmill_common.decoding import decoder_result

__all__ = [
    "Array",
    "Indices",
    "Mesh",
    "Part",
    "faceted",
    "grid_faces",
    "grid_mesh",
    "merged",
    "moved",
    "normalized",
    "rotated",
    "rotation",
    "scaled",
    "with_smooth_normals",
]

Array = NDArray[np.float64]
Indices = NDArray[np.uint32]


@decoder_result
@dataclass(frozen=True)
class Mesh:
    """A triangle mesh: positions (V, 3), triangles (F, 3), texture coordinates in metres (V, 2), normals (V, 3).

    ``normals_v3`` is ``None`` for faceted meshes. Triangles are counter-clockwise seen from outside.
    """

    vertices_v3: Array
    faces_f3: Indices
    uv_v2: Array
    normals_v3: Array | None = None

    @property
    def lower(self) -> Array:
        """Return the corner of the bounding box with the smallest coordinates, (3,)."""
        return np.asarray(self.vertices_v3.min(axis=0))

    @property
    def upper(self) -> Array:
        """Return the corner of the bounding box with the largest coordinates, (3,)."""
        return np.asarray(self.vertices_v3.max(axis=0))


@dataclass(frozen=True)
class Part:
    """One mesh of an object and its material: ``main`` for that of the object, else the name of a material."""

    mesh: Mesh
    material: str = "main"


def rotation(axis: str, angle_deg: float) -> Array:
    """Return the rotation matrix (3, 3) about ``x``, ``y`` or ``z``, right-handed."""
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


def rotated(mesh: Mesh, axis: str, angle_deg: float) -> Mesh:
    """Return the mesh rotated about an axis through the origin."""
    matrix_t = rotation(axis, angle_deg).T
    normals = None if mesh.normals_v3 is None else mesh.normals_v3 @ matrix_t
    return replace(mesh, vertices_v3=mesh.vertices_v3 @ matrix_t, normals_v3=normals)


def moved(mesh: Mesh, offset: Sequence[float] | Array) -> Mesh:
    """Return the mesh shifted by ``offset`` (3,)."""
    return replace(mesh, vertices_v3=mesh.vertices_v3 + np.asarray(offset, float))


def scaled(mesh: Mesh, factors: float | Sequence[float] | Array) -> Mesh:
    """Return the mesh scaled about the origin, uniformly or per axis; normals follow."""
    factors_3 = np.broadcast_to(np.asarray(factors, float), (3,))
    normals = None if mesh.normals_v3 is None else normalized(mesh.normals_v3 / factors_3)
    return replace(
        mesh,
        vertices_v3=mesh.vertices_v3 * factors_3,
        normals_v3=normals,
        uv_v2=mesh.uv_v2 * float(np.cbrt(np.prod(factors_3))),
    )


def merged(meshes: Sequence[Mesh]) -> Mesh:
    """Return one mesh of several; faceted meshes get facet normals, so that they mix with smooth ones."""
    smooth = [mesh if mesh.normals_v3 is not None else faceted(mesh) for mesh in meshes]
    starts = np.cumsum([0] + [len(mesh.vertices_v3) for mesh in smooth[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices_v3 for mesh in smooth]),
        np.concatenate([mesh.faces_f3 + np.uint32(start) for mesh, start in zip(smooth, starts, strict=True)]),
        np.concatenate([mesh.uv_v2 for mesh in smooth]),
        np.concatenate([mesh.normals_v3 for mesh in smooth if mesh.normals_v3 is not None]),
    )


def faceted(mesh: Mesh) -> Mesh:
    """Return the mesh with three vertices of its own and flat normals for every triangle."""
    corners_f33 = mesh.vertices_v3[mesh.faces_f3]
    normals_f3 = normalized(np.cross(corners_f33[:, 1] - corners_f33[:, 0], corners_f33[:, 2] - corners_f33[:, 0]))
    return Mesh(
        corners_f33.reshape(-1, 3),
        np.arange(corners_f33.shape[0] * 3, dtype=np.uint32).reshape(-1, 3),
        mesh.uv_v2[mesh.faces_f3].reshape(-1, 2),
        np.repeat(normals_f3, 3, axis=0),
    )


def with_smooth_normals(mesh: Mesh) -> Mesh:
    """Return the mesh with area-weighted vertex normals. Vertices at the same place (seams) share their normal."""
    corners_f33 = mesh.vertices_v3[mesh.faces_f3]
    weighted_f3 = np.cross(corners_f33[:, 1] - corners_f33[:, 0], corners_f33[:, 2] - corners_f33[:, 0])
    extent = float(np.ptp(mesh.vertices_v3, axis=0).max()) or 1.0
    cells = np.round((mesh.vertices_v3 - mesh.lower) / extent * 1e6).astype(np.int64)
    _, same_v = np.unique((cells[:, 0] << 42) + (cells[:, 1] << 21) + cells[:, 2], return_inverse=True)
    corners_n = same_v[mesh.faces_f3].ravel()
    repeated = np.repeat(weighted_f3, 3, axis=0)
    sums = np.stack([np.bincount(corners_n, repeated[:, axis]) for axis in range(3)], axis=1)
    return replace(mesh, normals_v3=normalized(sums[same_v]))


def normalized(vectors_n3: NDArray[Any]) -> Array:
    """Return unit vectors; zero vectors become +Y."""
    lengths_n1 = np.linalg.norm(vectors_n3, axis=-1, keepdims=True)
    return np.where(lengths_n1 > 1e-12, vectors_n3 / np.maximum(lengths_n1, 1e-12), np.array([0.0, 1.0, 0.0]))


def grid_faces(num_rows: int, num_columns: int) -> Indices:
    """Return the triangles of a grid of (num_rows × num_columns) vertices in row-major order."""
    row, column = np.meshgrid(np.arange(num_rows - 1), np.arange(num_columns - 1), indexing="ij")
    first = (row * num_columns + column).ravel()
    right, above = first + 1, first + num_columns
    return np.concatenate([np.stack([first, right, above], 1), np.stack([right, above + 1, above], 1)]).astype(
        np.uint32
    )


def grid_mesh(points_rc3: Array, uv_rc2: Array) -> Mesh:
    """Build a smooth sheet of a grid of points (rows, columns, 3); its outside is rows × columns (right-hand rule)."""
    num_rows, num_columns = points_rc3.shape[:2]
    flat = Mesh(points_rc3.reshape(-1, 3), grid_faces(num_rows, num_columns), uv_rc2.reshape(-1, 2))
    return with_smooth_normals(flat)
