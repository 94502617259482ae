"""Mesh files that cannot be read are refused in words, whatever is in them, and soon."""

import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lumenmill_common.artifacts import open_store
from lumenmill_common.decoding import DecodeLimits
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_studio import assets
from lumenmill_studio.assets import Assets
from lumenmill_studio.scenes.spec import ObjectSpec

from .mesh_makers import (
    BOX_VERTICES,
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


def without_numbers() -> dict[str, Any]:
    """Positions that only a compressed buffer has."""
    return {
        "buffers": [{"byteLength": 1}, {"byteLength": 96}],
        "bufferViews": [{"buffer": 1, "byteLength": 96}, {"buffer": 0, "byteLength": 1}],
        "extensionsUsed": ["EXT_meshopt_compression"],
    }


_NEGATIVE_LENGTH = (
    binary_ply_box("<", 6).replace(b"list uchar int", b"list char int").replace(b"\4\0\0\0\0\1", b"\xff\0\0\0\0\1")
)


def many_zeros(num_meshes: int, num_nodes: int) -> bytes:
    """A mesh file whose meshes have millions of positions each, of which three are not zero."""
    sparse = {"count": 3, "indices": {"bufferView": 1, "componentType": 5125}, "values": {"bufferView": 0}}
    positions, corner = {"componentType": 5126, "count": 5_999_999, "type": "VEC3", "sparse": sparse}, accessors()[1]
    return glb_of(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]),
        np.array([[0, 1, 2]]),
        accessors=[*[positions] * num_meshes, corner | {"count": 3}],
        meshes=[{"primitives": [{"attributes": {"POSITION": at}, "indices": num_meshes}]} for at in range(num_meshes)],
        nodes=[{"mesh": at % num_meshes, "translation": [at, 0, 0]} for at in range(num_nodes)],
        scenes=[{"nodes": list(range(num_nodes))}],
    )


_NESTED = struct.pack("<4sIIII", b"glTF", 2, 100_020, 100_000, 0x4E4F534A) + b"[" * 100_000
_UNREAD = ("KHR_draco_mesh_compression", "KHR_mesh_quantization", "EXT_meshopt_compression", "KHR_texture_basisu")
_CYCLE = [{"children": [1]}, {"children": [0]}]
_MANY = [{"children": [*range(1, 4)]}, *[{"mesh": 0}] * 3]
_LONG_STRIP = np.arange(900_000) % 8
_HUGE_PLY = PLY_VERTICES.replace("8", "4000000000")
_REFUSED = {
    "relative index out of range": (POSITIONS + b"f -1 -2 -9\n", "vertices that do not exist"),
    "index out of range": (POSITIONS + b"f 1 2 9\n", "vertices that do not exist"),
    "huge index": (POSITIONS + b"f 1 2 99999999999999999999\n", "in the line 'f 1 2 9999"),
    "index 0": (POSITIONS + b"f 0 1 2\n", "has the index 0"),
    "words for numbers": (b"v 0,5 1,0 2,0\n", "in the line 'v 0,5 1,0 2,0'"),
    "a line that is cut off": (POSITIONS + QUADS + b"v 1 2", "has fewer than 3 numbers, in the line 'v 1 2'"),
    "NaN": (POSITIONS.replace(b"1.0", b"nan") + QUADS, "not finite"),
    "infinity": (POSITIONS.replace(b"1.0", b"1e999") + QUADS, "not finite"),
    "millions of faces without an area": (b"v 0 0 0\n" + b"f 1\n" * 2_000_001, "more than 2000000 triangles"),
    "millions of vertices in each of many meshes": (many_zeros(9, 9), "more than 48000000 vertices and indices"),
    "no faces": (POSITIONS + b"l 1 2\n", "has no triangles"),
    "flat": (obj_of(BOX_VERTICES * [1, 0, 1]), "has no height"),
    "nothing": (b"", "is empty"),
    "a page": (b"<!DOCTYPE html><html>v 0 0 0</html>", "is an HTML page, no mesh"),
    "ply points": (ascii_ply(PLY_VERTICES, PLY_VERTEX_ROWS), "has no triangles"),
    "ply with a huge count": (ascii_ply(_HUGE_PLY, PLY_VERTEX_ROWS), "declares 4000000000 of vertex"),
    "ply with a large count": (ply_of().replace(b"face 12", b"face 5000000"), "cut off"),
    "ply without its end": (ply_of()[:-5], "is cut off"),
    "ply of mixed faces without its end": (binary_ply_box("<", 3)[:-5], "is cut off"),
    "ascii ply without its end": (ascii_ply_box()[:-20], "is cut off|too few numbers"),
    "ply without its header's end": (b"ply\nformat ascii 1.0\nelement vertex 8\n", "no complete PLY header"),
    "ply of an unknown type": (ascii_ply("element vertex 8\nproperty quad x\n", ""), "property quad x"),
    "ply with a negative length": (_NEGATIVE_LENGTH, "cut off"),
    "glb 1": (packed_glb({}, b"", version=1), "version 1; export it as glTF 2.0"),
    "glb without its end": (glb_of()[:-8], "is cut off"),
    "glb header": (b"glTF\2\0\0\0", "is cut off"),
    "glb without JSON": (packed_glb({}, b"").replace(b"{}", b"{["), "no JSON"),
    "glb of another shape": (packed_glb([1], b""), "invalid glTF description"),
    "nested deeply": (_NESTED, "invalid glTF description"),
    "buffers elsewhere": (glb_of(buffers=[{"byteLength": 9, "uri": "box.bin"}]), "buffers in another file"),
    "a huge accessor": (glb_of(accessors=accessors(count=4_000_000_000)), "outside of their buffer"),
    "positions elsewhere": (glb_of(**without_numbers()), "EXT_meshopt_compression"),
    "integers for positions": (glb_of(accessors=accessors(componentType=5122)), "of a type that glTF does not allow"),
    "a cycle of nodes": (glb_of(nodes=_CYCLE), "two parents"),
    "more instances than are rendered": (glb_of(faces=_LONG_STRIP, mode=5, nodes=_MANY), "more than 2000000 triangles"),
    "nodes that do not exist": (glb_of(scenes=[{"nodes": [-1]}]), r"nodes\[-1\]"),
    **{
        name: (glb_of(extensionsRequired=["KHR_materials_unlit", name]), f"requires {name}, which studio does not read")
        for name in _UNREAD
    },
}  # fmt: skip


@pytest.mark.parametrize("name", _REFUSED)
def test_files_that_cannot_be_read_are_refused_in_words(tmp_path: Path, name: str) -> None:
    data, reason = _REFUSED[name]
    with pytest.raises(ValueError, match=reason):
        read(tmp_path, data)


@pytest.mark.parametrize("whole", [obj_of(), ply_of(), binary_ply_box("<", 3), glb_of()])
def test_damaged_files_are_read_or_refused(tmp_path: Path, whole: bytes) -> None:
    rng = np.random.default_rng(5)
    for _ in range(150):
        data = bytearray(whole[: int(rng.integers(len(whole) // 2, len(whole) + 1))])
        for at in rng.integers(0, len(data), int(rng.integers(0, 6))):
            data[at] = int(rng.integers(256))
        try:
            mesh = read(tmp_path, bytes(data))
        except ValueError:
            continue
        assert np.isfinite(mesh.vertices_v3).all()
        assert int(mesh.faces_f3.max()) < len(mesh.vertices_v3)


def test_many_nodes_with_one_large_mesh_are_read_soon(tmp_path: Path) -> None:
    started_s = time.process_time()
    assert len(read(tmp_path, many_zeros(1, 5000)).faces_f3) == 5000
    assert time.process_time() - started_s < 20, "each node had read the mesh"


def test_a_mesh_that_takes_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MESH_LIMITS", DecodeLimits(max_s=0.1))
    store = open_store(f"file://{tmp_path}/store")
    slow = store.put_bytes(POSITIONS * 100_000 + QUADS, "model/obj")
    spec = ObjectSpec("it", "asset", "clay", 0, 1, asset_uri=slow.uri, asset_sha256=slow.sha256)
    with pytest.raises(InvalidArgumentError, match=r"scene: has a mesh that cannot be read: took longer than 0.1 s"):
        Assets(store, None, None).parts(spec)
