"""OBJ, PLY and binary glTF files are read as exporters write them. Their names do not matter: all are `own.obj`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lumenmill_studio.scenes.shapes.mesh import Mesh

from .mesh_makers import (
    BOX_FACES,
    BOX_VERTICES,
    PLY_QUAD_ROWS,
    PLY_QUADS,
    PLY_VERTEX_ROWS,
    PLY_VERTICES,
    POSITIONS,
    QUADS,
    accessors,
    ascii_ply,
    ascii_ply_box,
    binary_ply_box,
    glb_of,
    obj_of,
    packed_glb,
    ply_of,
    read,
)


def assert_box(mesh: Mesh, num_faces: int = 12) -> None:
    """The mesh is the box of 1 × 2 × 1, scaled to a height of one metre, seen from outside."""
    assert len(mesh.faces_f3) == num_faces
    assert mesh.lower == pytest.approx([-0.25, 0, -0.25], abs=1e-6)
    assert mesh.upper == pytest.approx([0.25, 1, 0.25], abs=1e-6)
    corners = mesh.vertices_v3[mesh.faces_f3]
    volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume == pytest.approx(0.25, rel=1e-5)


_FACES = obj_of().removeprefix(POSITIONS)


def relative(faces: np.ndarray) -> bytes:
    return b"".join(b"f %d %d %d\n" % tuple(face) for face in (faces - len(BOX_VERTICES)).tolist())


_OBJ_FILES = {
    "indices": obj_of(),
    "relative indices": POSITIONS + relative(BOX_FACES),
    "both kinds of indices": POSITIONS + b"".join(b"f %d %d %d\n" % (a + 1, b - 8, c - 8) for a, b, c in BOX_FACES),
    "normals": POSITIONS + _FACES.replace(b"\n", b"//1\n").replace(b" ", b"//1 ").replace(b"f//1", b"f"),
    "quads": POSITIONS + QUADS,
    "texture coordinates on some faces": POSITIONS + b"vt 0 0\n" + QUADS.replace(b"f 1 2 4 3", b"f 1/1 2/1 4/1 3/1"),
    "relative texture coordinates": POSITIONS + b"vt 0 0\nvt 1\n" + QUADS.replace(b"1 2 4 3", b"1/-1 2/-2 4/1 3/2"),
    "faces before their vertices": QUADS + POSITIONS,
    "names and groups": b"mtllib a\no box\n" + POSITIONS + b"g side v 1\nusemtl red#1\ns off\n" + QUADS + b"l 1 2\n",
    "continued lines": POSITIONS.replace(b"v -0.5", b"v \\\n -0.5") + QUADS.replace(b" 2", b"\\ \r\n 2"),
    "carriage returns": (POSITIONS + QUADS).replace(b"\n", b"\r\n"),
    "comments": b"\xef\xbb\xbf# made by f 1 2 3 \\\n" + POSITIONS.replace(b"\n", b" # v 9 9 9\n") + QUADS,
    "indentation and tabs": (b"\n" + POSITIONS + QUADS).replace(b"\n", b"\n \t").replace(b" 1", b"\t 1"),
    "colours": POSITIONS.replace(b"\n", b" 0.2 0.3 0.4\n") + QUADS,
    "weights": POSITIONS.replace(b"\n", b" 1.0\n") + QUADS,
    "vertices that no face uses": b"v 1e30 nan inf\n" + POSITIONS + relative(BOX_FACES),
    "a face of two corners": POSITIONS + QUADS + b"f 1 2\nf\n",
}  # fmt: skip


@pytest.mark.parametrize("name", _OBJ_FILES)
def test_obj_files_of_every_exporter_are_the_same_box(tmp_path: Path, name: str) -> None:
    assert_box(read(tmp_path, _OBJ_FILES[name]))


def test_the_texture_coordinates_of_an_obj_file_belong_to_corners(tmp_path: Path) -> None:
    data = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nvt 0 0\nvt 1 1\nvt 0.5 0.25\nf 1/1 2/2 3/3\nf 2/1 4/2 3/3\n"
    mesh = read(tmp_path, data)
    assert sorted(map(tuple, mesh.uv_v2.tolist())) == [(0, 1), (0, 1), (0.5, 0.75), (1, 0), (1, 0)]


@pytest.mark.parametrize("maker", [obj_of, ply_of])
def test_a_mesh_far_from_its_origin_keeps_its_shape(tmp_path: Path, maker: Any) -> None:
    assert_box(read(tmp_path, maker(BOX_VERTICES * 0.1 + [4_500_000.125, -320_000.5, 1e7])))


def test_a_node_far_from_the_origin_keeps_the_shape_of_its_mesh(tmp_path: Path) -> None:
    node = {"mesh": 0, "translation": [4.5e6, -3e5, 1e7], "scale": [-0.01, 0.01, 0.01]}
    assert_box(read(tmp_path, glb_of(nodes=[node])))


@pytest.mark.parametrize("scale", [1e-7, 1e7])
def test_a_mesh_in_other_units_has_the_same_normals(tmp_path: Path, scale: float) -> None:
    mesh, usual = read(tmp_path, obj_of(BOX_VERTICES * scale)), read(tmp_path, obj_of())
    assert mesh.normals_v3 == pytest.approx(usual.normals_v3, abs=1e-6)


_PLY_FILES = {
    "triangles": ply_of(),
    "ascii": ascii_ply_box(),
    "carriage returns": ascii_ply_box().replace(b"\n", b"\r\n"),
    "faces first": ascii_ply(PLY_QUADS + PLY_VERTICES, PLY_QUAD_ROWS + PLY_VERTEX_ROWS),
    "quads": binary_ply_box("<", 6),
    "quads and triangles": binary_ply_box("<", 3),
    "big endian": binary_ply_box(">", 0),
}


@pytest.mark.parametrize("name", _PLY_FILES)
def test_ply_files_of_every_kind_are_the_same_box(tmp_path: Path, name: str) -> None:
    assert_box(read(tmp_path, _PLY_FILES[name]))


_STRIP = np.array([0, 1, 2, 3, 6, 7, 4, 5, 0, 1])
_SPARSE = {
    "count": 1,
    "indices": {"bufferView": 2, "componentType": 5121},
    "values": {"bufferView": 3},
}


def sparse_glb() -> bytes:
    """A box of which a sparse accessor puts the last corner in its place."""
    wrong = np.vstack([BOX_VERTICES[:-1], [[9, 9, 9]]])
    positions, indices = wrong.astype("<f4").tobytes(), BOX_FACES.astype("<u4").tobytes()
    parts = [positions, indices, b"\7", BOX_VERTICES[-1].astype("<f4").tobytes()]
    starts = np.cumsum([0] + [len(part) for part in parts])
    description = {
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [{"byteLength": int(starts[-1])}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": int(start), "byteLength": len(part)}
            for start, part in zip(starts, parts, strict=False)
        ],
        "accessors": accessors(sparse=_SPARSE),
    }
    return packed_glb(description, b"".join(parts))


_TURNED = [
    {"children": [1], "rotation": [0, 2**-0.5, 0, 2**-0.5]},
    {"mesh": 0, "matrix": [*np.diag([3.0, 3, 3, 1]).flat]},
]
_BOX = {"POSITION": 0}
_GLB_FILES = {
    "triangles": glb_of(),
    "turned and scaled nodes": glb_of(nodes=_TURNED),
    "no scene": glb_of(scenes=[], scene=0),
    "a sparse accessor": sparse_glb(),
    "materials that are required": glb_of(extensionsRequired=["KHR_materials_unlit", "KHR_texture_transform"]),
    "points beside it": glb_of(
        meshes=[{"primitives": [{"attributes": _BOX, "mode": 0}, {"attributes": _BOX, "indices": 1}]}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _GLB_FILES)
def test_glb_files_of_every_exporter_are_the_same_box(tmp_path: Path, name: str) -> None:
    assert_box(read(tmp_path, _GLB_FILES[name]))


@pytest.mark.parametrize(("mode", "corners"), [(5, [0, 1, 2, 3]), (6, [0, 1, 3, 2])])
def test_strips_and_fans_are_triangles_of_one_side(tmp_path: Path, mode: int, corners: list[int]) -> None:
    mesh = read(tmp_path, glb_of(faces=np.array(corners), mode=mode))
    assert len(mesh.faces_f3) == 2
    triangles = mesh.vertices_v3[mesh.faces_f3]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    assert normals[0] == pytest.approx(normals[1])
