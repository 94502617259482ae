"""Mesh files for tests, written as exporters write them."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lumenmill_studio.mesh_files import read_mesh
from lumenmill_studio.scenes.shapes.mesh import Mesh
from lumenmill_studio.scenes.shapes.ornaments import sphere

__all__ = [
    "BOX_FACES",
    "BOX_VERTICES",
    "MAKERS",
    "PLY_QUADS",
    "PLY_QUAD_ROWS",
    "PLY_VERTEX_ROWS",
    "PLY_VERTICES",
    "POSITIONS",
    "QUADS",
    "accessors",
    "ascii_ply",
    "ascii_ply_box",
    "binary_ply_box",
    "glb_of",
    "obj_of",
    "packed_glb",
    "ply_of",
    "read",
]

BOX_VERTICES = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-1.0, 1.0) for z in (-0.5, 0.5)])
BOX_FACES = np.array(
    [
        *([1, 3, 0], [4, 1, 0], [0, 3, 2], [2, 4, 0], [1, 7, 3], [5, 1, 4]),
        *([5, 7, 1], [3, 7, 2], [6, 4, 2], [2, 7, 6], [6, 5, 4], [7, 5, 6]),
    ]
)

_QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]

# Parts of files of the box.
POSITIONS = b"".join(b"v %r %r %r\n" % tuple(row) for row in BOX_VERTICES.tolist())
QUADS = b"".join(b"f %d %d %d %d\n" % tuple(index + 1 for index in quad) for quad in _QUADS)
PLY_VERTICES = "element vertex 8\nproperty float x\nproperty float y\nproperty float z\nproperty uchar red\n"
PLY_QUADS = "element face 6\nproperty list uchar int vertex_index\n"
PLY_VERTEX_ROWS = "".join(f"{x} {y} {z} 200\n" for x, y, z in BOX_VERTICES.tolist())
PLY_QUAD_ROWS = "".join(f"4 {a} {b} {c} {d}\n" for a, b, c, d in _QUADS)


def read(folder: Path, data: bytes) -> Mesh:
    """The mesh that studio reads from a file with these bytes."""
    (folder / "own.obj").write_bytes(data)
    return read_mesh(folder / "own.obj")


def obj_of(vertices: NDArray[Any] = BOX_VERTICES, faces: NDArray[Any] = BOX_FACES) -> bytes:
    """An OBJ file of positions and triangles."""
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
    return "\n".join([*lines, *(f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()), ""]).encode()


def ply_of(vertices: NDArray[Any] = BOX_VERTICES, faces: NDArray[Any] = BOX_FACES) -> bytes:
    """A binary PLY file of positions and triangles."""
    head = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\nproperty double x\nproperty double y\n"
        f"property double z\nelement face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = b"".join(struct.pack("<B3i", 3, *face) for face in faces.tolist())
    return head.encode() + np.asarray(vertices, "<f8").tobytes() + rows


def ascii_ply(head: str, rows: str) -> bytes:
    """An ASCII PLY file of the elements in its head and their rows."""
    return f"ply\nformat ascii 1.0\ncomment of a test\n{head}end_header\n{rows}".encode()


def ascii_ply_box() -> bytes:
    """The box as an ASCII PLY file of quads."""
    return ascii_ply(PLY_VERTICES + PLY_QUADS, PLY_VERTEX_ROWS + PLY_QUAD_ROWS)


def binary_ply_box(order: str, num_quads: int) -> bytes:
    """The box as a binary PLY file with a table of edges; some sides are quads, the others two triangles each."""
    halves = [half for a, b, c, d in _QUADS[num_quads:] for half in ((a, b, c), (a, c, d))]
    faces = [*_QUADS[:num_quads], *halves]
    head = (
        f"ply\nformat binary_{'little' if order == '<' else 'big'}_endian 1.0\n{PLY_VERTICES}"
        "element edge 1\nproperty int vertex1\nproperty list uchar char tags\n"
        f"element face {len(faces)}\nproperty ushort flags\nproperty list uchar int vertex_index\n"
        "property short material\nend_header\n"
    )
    vertices = [struct.pack(f"{order}3fB", *row, 7) for row in BOX_VERTICES.tolist()]
    edge = struct.pack(f"{order}iB2b", 1, 2, 3, 4)
    rows = [struct.pack(f"{order}HB{len(face)}ih", 5, len(face), *face, 6) for face in faces]
    return head.encode() + b"".join([*vertices, edge, *rows])


def glb_of(
    vertices: NDArray[Any] = BOX_VERTICES, faces: NDArray[Any] = BOX_FACES, mode: int = 4, **description: Any
) -> bytes:
    """A binary glTF file of positions and triangles; `description` replaces parts of what it says of them."""
    positions, indices = np.asarray(vertices, "<f4").tobytes(), np.asarray(faces, "<u4").tobytes()
    whole = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "mode": mode}]}],
        "buffers": [{"byteLength": len(positions) + len(indices)}],
        "bufferViews": [
            {"buffer": 0, "byteLength": len(positions)},
            {"buffer": 0, "byteOffset": len(positions), "byteLength": len(indices)},
        ],
        "accessors": accessors(len(vertices), faces.size),
    }
    return packed_glb(whole | description, positions + indices)


def accessors(
    num_vertices: int = len(BOX_VERTICES), num_indices: int = BOX_FACES.size, **positions: Any
) -> list[dict[str, Any]]:
    """Accessors of positions and indices, of the box by default; `positions` replaces parts of that of positions."""
    return [
        {"bufferView": 0, "componentType": 5126, "count": num_vertices, "type": "VEC3"} | positions,
        {"bufferView": 1, "componentType": 5125, "count": num_indices, "type": "SCALAR"},
    ]


def packed_glb(description: Any, binary: bytes, version: int = 2) -> bytes:
    """A binary glTF file of its two chunks."""
    text = json.dumps(description).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", version, 12 + len(chunks)) + chunks


def _ball(maker: Any) -> bytes:
    """A file of a smooth ball."""
    mesh = sphere(np.random.default_rng(1))[0].mesh
    return maker(mesh.vertices_v3, mesh.faces_f3.astype(np.int64))


MAKERS = {"obj": lambda: _ball(obj_of), "ply": lambda: _ball(ply_of), "glb": lambda: _ball(glb_of)}
"""By extension, what makes a file of a smooth ball."""
