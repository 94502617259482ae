"""Valid meshes: OBJ, PLY and binary glTF of a pyramid."""

import struct

import numpy as np

from ..bad_files import glb

__all__ = ["meshes"]

_VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1], [0.5, 1.5, 0.5]], np.float32)
_FACES = ((0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4), (0, 2, 1), (0, 3, 2))
_PLY_HEAD = (
    "ply\nformat {kind} 1.0\ncomment a pyramid\nelement vertex 5\nproperty float x\nproperty float y\n"
    "property float z\nelement face 6\nproperty list uchar int vertex_indices\nend_header\n"
)


def meshes() -> dict[str, bytes]:
    """Return files by name; the part before the first `-` is the extension."""
    return {
        "obj": _obj(),
        "obj-texture": _obj_with_texture(),
        "ply": _ply(),
        "ply-binary": _binary_ply(),
        "glb": glb(_VERTICES, [index for face in _FACES for index in face]),
    }


def _lines(rows: object, prefix: str = "") -> str:
    return "".join(prefix + " ".join(f"{number:g}" for number in row) + "\n" for row in rows)  # type: ignore[attr-defined]


def _obj() -> bytes:
    faces = _lines(((a + 1, b + 1, c + 1) for a, b, c in _FACES), "f ")
    return f"# a pyramid\no pyramid\n{_lines(_VERTICES, 'v ')}s off\n{faces}".encode()


def _obj_with_texture() -> bytes:
    faces = "".join("f " + " ".join(f"{index + 1}/{index + 1}/1" for index in face) + "\n" for face in _FACES)
    coordinates = _lines(_VERTICES[:, :2], "vt ")
    return f"mtllib a.mtl\n{_lines(_VERTICES, 'v ')}{coordinates}vn 0 1 0\nusemtl brass\n{faces}".encode()


def _ply() -> bytes:
    faces = _lines((3, *face) for face in _FACES)
    return (_PLY_HEAD.format(kind="ascii") + _lines(_VERTICES) + faces).encode()


def _binary_ply() -> bytes:
    faces = b"".join(struct.pack("<Biii", 3, *face) for face in _FACES)
    return _PLY_HEAD.format(kind="binary_little_endian").encode() + _VERTICES.astype("<f4").tobytes() + faces
