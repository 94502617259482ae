"""Read mesh files of the operator: they are checked, since renderers trust what is in them.

The readers are Python and NumPy, with limits of size, so that no file crashes the service or keeps it busy for long.
"""

from pathlib import Path

import numpy as np

from lumenmill_common.artifacts import HEAD_BYTES, kind_of_bytes
from lumenmill_common.decoding import decoder
from lumenmill_studio.mesh_files.glb import read_glb
from lumenmill_studio.mesh_files.obj import read_obj
from lumenmill_studio.mesh_files.ply import read_ply
from lumenmill_studio.mesh_files.triangles import Triangles
from lumenmill_studio.scenes.shapes.mesh import Mesh, with_smooth_normals

__all__ = ["MESH_SUFFIXES", "read_mesh"]

MESH_SUFFIXES = (".obj", ".ply", ".glb")
_MAX_MESH_BYTES = 256 << 20
_DECODERS = {"model/gltf-binary": read_glb, "model/ply": read_ply}


@decoder
def read_mesh(path: Path) -> Mesh:
    """Return the mesh of an OBJ, PLY or binary glTF file: on y = 0, centred in x and z, one metre tall, smooth normals.

    The first bytes decide what a file is, not its name; text without a mark of its own is OBJ.

    Raises:
        ValueError: it is no mesh that studio can build; the text says why.
        OSError: it cannot be opened.
    """
    if not path.is_file():
        raise ValueError("is no file")
    if path.stat().st_size > _MAX_MESH_BYTES:
        raise ValueError(f"has more than {_MAX_MESH_BYTES} bytes")
    data = path.read_bytes()
    if not data:
        raise ValueError("is empty")
    kind = kind_of_bytes(data[:HEAD_BYTES])
    if kind is None:
        return _standing(read_obj(data))
    if kind.media_type not in _DECODERS:
        raise ValueError(f"is {kind.name}, no mesh")
    return _standing(_DECODERS[kind.media_type](data))


def _standing(read: Triangles) -> Mesh:
    """Return the checked mesh in its place, which is computed in double precision: files may be far from their origin.

    It has no duplicate triangles: thousands in one place would take the renderer hours. Texture coordinates that a file
    does not have are those of a projection along z.
    """
    if not len(read.faces_f3):
        raise ValueError("has no triangles")
    if int(read.faces_f3.min()) < 0 or int(read.faces_f3.max()) >= len(read.vertices_v3):
        raise ValueError("has triangles with vertices that do not exist")
    used, corners = np.unique(read.faces_f3, return_inverse=True)
    vertices_v3, faces_f3 = read.vertices_v3[used], corners.reshape(-1, 3)
    if not np.isfinite(vertices_v3).all():
        raise ValueError("has vertices that are not finite")
    lower, upper = vertices_v3.min(axis=0), vertices_v3.max(axis=0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        size = 1.0 / (upper[1] - lower[1])
        placed_v3 = (vertices_v3 - [(lower[0] + upper[0]) / 2, lower[1], (lower[2] + upper[2]) / 2]) * size
    if upper[1] - lower[1] <= 1e-6 * float((upper - lower).max()) or not np.isfinite(placed_v3).all():
        raise ValueError("has no height; meshes are scaled by it")
    uv_v2 = placed_v3[:, :2] if read.uv_v2 is None else read.uv_v2[used] * size
    first = np.sort(np.unique(np.sort(faces_f3, axis=1), axis=0, return_index=True)[1])
    finite = np.isfinite(uv_v2).all()
    return with_smooth_normals(
        Mesh(placed_v3, faces_f3[first].astype(np.uint32), uv_v2 if finite else placed_v3[:, :2])
    )
