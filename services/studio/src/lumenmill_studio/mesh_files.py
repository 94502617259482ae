"""Read mesh files of the operator. They are checked, since readers and renderers trust what is in them."""

import io
import json
from pathlib import Path
from typing import Any

import mitsuba as mi
import numpy as np
import trimesh
from numpy.typing import NDArray

from lumenmill_studio.scenes.shapes.mesh import Mesh, with_smooth_normals

__all__ = ["MESH_ERRORS", "MESH_SUFFIXES", "normalised", "read_mesh"]

MESH_SUFFIXES = (".obj", ".ply", ".glb")
# Exceptions that mesh readers raise for invalid files.
MESH_ERRORS = (RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError)
_MAX_MESH_BYTES = 256 << 20
_MAX_TRIANGLES = 2_000_000


def read_mesh(path: Path) -> Mesh:
    """Return the triangles of an OBJ, PLY or binary glTF file, with smooth normals.

    Raises:
        one of `MESH_ERRORS`: it is no mesh that studio can build; the text says why.
    """
    if path.stat().st_size > _MAX_MESH_BYTES:
        raise ValueError(f"has more than {_MAX_MESH_BYTES} bytes")
    if path.suffix.lower() == ".glb":
        return _read_glb(path)
    if path.suffix.lower() == ".ply":
        return _read_ply(path)
    shape: Any = mi.load_dict({"type": "obj", "filename": str(path)})
    values = mi.traverse(shape)
    vertices = np.array(values["vertex_positions"], np.float64).reshape(-1, 3)
    faces = np.array(values["faces"], np.uint32).reshape(-1, 3)
    coordinates = np.array(values["vertex_texcoords"], np.float64).reshape(-1, 2)
    return _checked(vertices, faces, coordinates if len(coordinates) == len(vertices) else vertices[:, :2])


def _read_ply(path: Path) -> Mesh:
    """Read the triangles of a PLY file. Mitsuba's reader does not check vertex indices."""
    whole: Any = trimesh.load_mesh(io.BytesIO(path.read_bytes()), file_type="ply", process=False)
    vertices = np.asarray(whole.vertices, np.float64)
    coordinates = getattr(whole.visual, "uv", None)
    uv = vertices[:, :2] if coordinates is None else np.asarray(coordinates, np.float64)
    return _checked(vertices, np.asarray(whole.faces, np.int64), uv if len(uv) == len(vertices) else vertices[:, :2])


def _read_glb(path: Path) -> Mesh:
    """Read the triangles of all nodes of a binary glTF file in scene coordinates; materials are ignored."""
    data = path.read_bytes()
    _refuse_other_files(data)
    scene = trimesh.load_scene(io.BytesIO(data), file_type="glb", skip_materials=True)
    whole: Any = scene.to_mesh()
    vertices = np.asarray(whole.vertices, np.float64)
    return _checked(vertices, np.asarray(whole.faces, np.int64), vertices[:, :2])


def _refuse_other_files(data: bytes) -> None:
    """Refuse files that refer to buffers in other files, by path or address."""
    document = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    uris = [buffer.get("uri", "data:") for buffer in document.get("buffers", ())]
    if not all(isinstance(uri, str) and uri.startswith("data:") for uri in uris):
        raise ValueError("has buffers in another file; pack them into it")


def _checked(vertices_v3: NDArray[np.float64], faces_f3: NDArray[Any], uv_v2: NDArray[np.float64]) -> Mesh:
    """Return the mesh without duplicate triangles: thousands in one place would take the renderer hours."""
    if not len(faces_f3):
        raise ValueError("has no triangles")
    if len(faces_f3) > _MAX_TRIANGLES:
        raise ValueError(f"has {len(faces_f3)} triangles; at most {_MAX_TRIANGLES}")
    if int(faces_f3.min()) < 0 or int(faces_f3.max()) >= len(vertices_v3):
        raise ValueError("has triangles with vertices that do not exist")
    if not np.isfinite(vertices_v3).all():
        raise ValueError("has vertices that are not finite")
    lower, upper = vertices_v3.min(axis=0), vertices_v3.max(axis=0)
    if upper[1] - lower[1] <= 1e-6 * float((upper - lower).max()):
        raise ValueError("has no height; meshes are scaled by it")
    first = np.sort(np.unique(np.sort(faces_f3, axis=1), axis=0, return_index=True)[1])
    return with_smooth_normals(Mesh(vertices_v3, faces_f3[first].astype(np.uint32), uv_v2))


def normalised(mesh: Mesh) -> Mesh:
    """Return the mesh standing on y = 0, centred in x and z, and one metre tall."""
    lower, upper = mesh.lower, mesh.upper
    middle = np.array([(lower[0] + upper[0]) / 2, lower[1], (lower[2] + upper[2]) / 2])
    size = 1.0 / max(float(upper[1] - lower[1]), 1e-9)
    return Mesh((mesh.vertices_v3 - middle) * size, mesh.faces_f3, mesh.uv_v2 * size, mesh.normals_v3)
