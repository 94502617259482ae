"""Read binary glTF 2.0 files: the triangles of the nodes of their scene; materials, skins and morphs are ignored.

Numbers and names are those of the specification (Khronos, glTF 2.0).
"""

import base64
import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lumenmill_studio.mesh_files.triangles import MAX_VERTICES, Triangles, refuse_more_triangles

__all__ = ["read_glb"]

_HEAD, _CHUNK_HEAD = struct.Struct("<4sII"), struct.Struct("<I4s")
_VERSION = 2
_MAX_JSON_BYTES = 16 << 20
_MAX_PARTS = 100_000
# Vertices and indices of all accessors together, each time that one is read: accessors without a buffer view take no
# bytes in the file.
_MAX_READ = 8 * MAX_VERTICES
_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_FLOAT, _INDEX_COMPONENTS = 5126, (5121, 5123, 5125)
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_COMPRESSIONS = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression")
# What they change is not read from the file in any case: studio chooses materials and lights.
_IGNORED_EXTENSIONS = ("KHR_materials_", "KHR_texture_transform", "KHR_lights_punctual", "KHR_xmp_json_ld")


def read_glb(data: bytes) -> Triangles:
    """Return the triangles of all nodes of a binary glTF file in coordinates of its scene, in double precision.

    Raises:
        ValueError: it is cut off, too large or no valid glTF, or requires an extension that is not read; names it.
    """
    try:
        return _File(*_chunks(data)).triangles()
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"has an invalid glTF description ({type(error).__name__}: {str(error)[:80]})") from error


def _chunks(data: bytes) -> tuple[Any, memoryview]:
    """Return the description and the binary chunk, which is empty if the file has none."""
    if len(data) < _HEAD.size + _CHUNK_HEAD.size:
        raise ValueError("is cut off in its header")
    _, version, size = _HEAD.unpack_from(data)
    if version != _VERSION:
        raise ValueError(f"is binary glTF of version {version}; export it as glTF 2.0")
    if size > len(data):
        raise ValueError(f"is cut off: has {len(data)} of {size} bytes")
    chunks = dict[bytes, memoryview]()
    at = _HEAD.size
    while at + _CHUNK_HEAD.size <= size:
        length, kind = _CHUNK_HEAD.unpack_from(data, at)
        at += _CHUNK_HEAD.size
        if at + length > size:
            raise ValueError("has a chunk that is longer than the file")
        chunks.setdefault(kind, memoryview(data)[at : at + length])
        at += length
    if len(chunks.get(b"JSON", b"")) > _MAX_JSON_BYTES:
        raise ValueError(f"has a description of more than {_MAX_JSON_BYTES} bytes")
    try:
        document = json.loads(bytes(chunks.get(b"JSON", b"")))
    except ValueError as error:
        raise ValueError(f"has a description that is no JSON: {error}") from error
    return document, chunks.get(b"BIN\0", memoryview(b""))


class _File:
    """The description of a file and its numbers."""

    def __init__(self, document: Any, binary: memoryview) -> None:
        self._document, self._binary = document, binary
        self._buffers: dict[int, memoryview] = {}
        self._primitives: dict[tuple[int, int], tuple[NDArray[np.float64], NDArray[np.int64]]] = {}
        self._num_triangles = self._num_parts = self._num_read = 0

    def triangles(self) -> Triangles:
        """Return the triangles of all nodes."""
        self._refuse_extensions()
        self._refuse_other_files()
        vertices, faces, num_vertices = [np.empty((0, 3))], [np.empty((0, 3), np.int64)], 0
        for mesh, matrix_44 in self._placed_meshes():
            for number, primitive in enumerate(self._item("meshes", mesh)["primitives"]):
                self._num_parts += 1
                if self._num_parts > _MAX_PARTS:
                    raise ValueError(f"has more than {_MAX_PARTS} parts")
                # A mesh may have many nodes.
                if (mesh, number) not in self._primitives:
                    self._primitives[mesh, number] = self._primitive(primitive)
                part_v3, part_f3 = self._primitives[mesh, number]
                self._num_triangles += len(part_f3)
                refuse_more_triangles(self._num_triangles)
                vertices.append(part_v3 @ matrix_44[:3, :3].T + matrix_44[:3, 3])
                # A mirrored part is seen from outside in the opposite order.
                mirrored = np.linalg.det(matrix_44[:3, :3]) < 0
                faces.append((part_f3[:, ::-1] if mirrored else part_f3) + num_vertices)
                num_vertices += len(part_v3)
        return Triangles(np.concatenate(vertices), np.concatenate(faces))

    def _refuse_extensions(self) -> None:
        required = [str(name) for name in self._document.get("extensionsRequired", ())]
        unread = [name for name in required if not name.startswith(_IGNORED_EXTENSIONS)]
        if unread:
            raise ValueError(f"requires {', '.join(unread)}, which studio does not read; export it without")

    def _refuse_other_files(self) -> None:
        uris = [buffer.get("uri", "data:") for buffer in self._document.get("buffers", ())]
        if not all(isinstance(uri, str) and uri.startswith("data:") for uri in uris):
            raise ValueError("has buffers in another file; pack them into it")

    def _item(self, kind: str, index: Any) -> Any:
        items = self._document.get(kind, [])
        if not isinstance(index, int) or not 0 <= index < len(items):
            raise ValueError(f"refers to {kind}[{index!r:.20}], which does not exist")
        return items[index]

    def _placed_meshes(self) -> list[tuple[Any, NDArray[np.float64]]]:
        """Return the mesh and the matrix to the scene's coordinates of each node that has a mesh."""
        placed, seen = [], set[int]()
        waiting = [(root, np.eye(4)) for root in self._roots()]
        while waiting:
            index, parent_44 = waiting.pop()
            node = self._item("nodes", index)
            if index in seen:
                raise ValueError(f"has a node with two parents (nodes[{index}])")
            seen.add(index)
            matrix_44 = parent_44 @ _local_matrix(node)
            waiting += [(child, matrix_44) for child in node.get("children", ())]
            if "mesh" in node:
                placed.append((node["mesh"], matrix_44))
        return placed

    def _roots(self) -> list[Any]:
        if self._document.get("scenes"):
            return list(self._item("scenes", self._document.get("scene", 0)).get("nodes", ()))
        nodes = self._document.get("nodes", ())
        children = {child for node in nodes for child in node.get("children", ())}
        return [index for index in range(len(nodes)) if index not in children]

    def _primitive(self, primitive: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the vertices (V, 3) that the triangles (F, 3) of a part use; none of points and lines."""
        mode, position = primitive.get("mode", _TRIANGLES), primitive.get("attributes", {}).get("POSITION")
        if mode not in (_TRIANGLES, _STRIP, _FAN) or position is None:
            return np.empty((0, 3)), np.empty((0, 3), np.int64)
        indices = primitive.get("indices")
        numbered = self._item("accessors", position if indices is None else indices)
        refuse_more_triangles(_num_triangles(mode, _whole(numbered["count"])))
        positions = self._accessor(position, "VEC3", (_FLOAT,))
        if indices is None:
            corners_n = np.arange(len(positions))
        else:
            corners_n = self._accessor(indices, "SCALAR", _INDEX_COMPONENTS)[:, 0].astype(np.int64)
        used, faces = np.unique(_faces(mode, corners_n), return_inverse=True)
        if used.size and used[-1] >= len(positions):
            raise ValueError("has triangles with vertices that do not exist")
        return positions[used].astype(np.float64), faces.reshape(-1, 3)

    def _accessor(self, index: Any, shape: str, components: tuple[int, ...]) -> NDArray[Any]:
        """Return the numbers of an accessor, (count, width)."""
        accessor = self._item("accessors", index)
        if accessor["type"] != shape or accessor["componentType"] not in components:
            raise ValueError(f"has positions or indices of a type that glTF does not allow (accessors[{index}])")
        kind, width = np.dtype(_COMPONENTS[accessor["componentType"]]), {"SCALAR": 1, "VEC3": 3}[shape]
        count, sparse = _whole(accessor["count"]), accessor.get("sparse")
        if "bufferView" in accessor:
            numbers = self._numbers(accessor["bufferView"], accessor.get("byteOffset", 0), kind, count, width)
        elif sparse is None or count > MAX_VERTICES:
            raise self._no_numbers()
        else:
            numbers = np.zeros((count, width), kind)
        self._num_read += count
        if self._num_read > _MAX_READ:
            raise ValueError(f"has more than {_MAX_READ} vertices and indices")
        return numbers if sparse is None else self._replaced(numbers, sparse)

    def _replaced(self, numbers: NDArray[Any], sparse: Any) -> NDArray[Any]:
        """Return a copy in which those numbers are replaced that a sparse accessor names."""
        count, at, values = _whole(sparse["count"]), sparse["indices"], sparse["values"]
        kind = np.dtype(_COMPONENTS[at["componentType"]])
        rows = self._numbers(at["bufferView"], at.get("byteOffset", 0), kind, count, 1)[:, 0]
        if len(numbers) > MAX_VERTICES or (rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < len(numbers)):
            raise ValueError("has a sparse accessor with indices that do not exist")
        result = numbers.copy()
        offset, width = values.get("byteOffset", 0), numbers.shape[1]
        result[rows.astype(np.int64)] = self._numbers(values["bufferView"], offset, numbers.dtype, count, width)
        return result

    def _numbers(self, index: Any, offset: Any, kind: np.dtype[Any], count: int, width: int) -> NDArray[Any]:
        """Return ``count`` rows of ``width`` numbers of a buffer view, without a copy."""
        view = self._item("bufferViews", index)
        buffer, size = self._buffer(view["buffer"]), width * kind.itemsize
        stride = _whole(view.get("byteStride", size))
        first, end = _whole(view.get("byteOffset", 0)), _whole(view["byteLength"])
        last = _whole(offset) + (count - 1) * stride + size
        if stride < size or first + end > len(buffer) or (count and last > end):
            raise ValueError("is cut off or damaged: has numbers outside of their buffer")
        return np.ndarray((count, width), kind, buffer, first + offset if count else 0, (stride, kind.itemsize))

    def _buffer(self, index: Any) -> memoryview:
        if index not in self._buffers:
            self._buffers[index] = self._buffer_of(self._item("buffers", index), index)
        return self._buffers[index]

    def _buffer_of(self, buffer: Any, index: int) -> memoryview:
        if "uri" in buffer:
            return memoryview(base64.b64decode(buffer["uri"].partition(",")[2]))
        if index or not self._binary:
            raise self._no_numbers()
        return self._binary

    def _no_numbers(self) -> ValueError:
        used = [name for name in self._document.get("extensionsUsed", ()) if name in _COMPRESSIONS]
        return ValueError(f"has vertices whose numbers are not in the file{' but in ' * bool(used)}{', '.join(used)}")


def _local_matrix(node: Any) -> NDArray[np.float64]:
    """Return the matrix (4, 4) of a node to its parent."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = (float(each) for each in node.get("rotation", (0, 0, 0, 1)))
    matrix_44 = np.eye(4)
    matrix_44[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix_44[:3, :3] *= np.array(node.get("scale", (1, 1, 1)), np.float64).reshape(3)
    matrix_44[:3, 3] = np.array(node.get("translation", (0, 0, 0)), np.float64).reshape(3)
    return matrix_44


def _num_triangles(mode: int, num_corners: int) -> int:
    return num_corners // 3 if mode == _TRIANGLES else max(0, num_corners - 2)


def _faces(mode: int, corners_n: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return triangles (F, 3) of the corners of a list, a strip or a fan; corners that are left over are ignored."""
    num_triangles = _num_triangles(mode, len(corners_n))
    if mode == _TRIANGLES:
        return corners_n[: num_triangles * 3].reshape(-1, 3)
    at = np.arange(num_triangles)
    if mode == _FAN:
        return np.stack([corners_n[at + 1], corners_n[at + 2], corners_n[at * 0]], axis=1)
    # Every second triangle of a strip is turned.
    return np.stack([corners_n[at], corners_n[at + 1 + at % 2], corners_n[at + 2 - at % 2]], axis=1)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"has {value!r:.20} where glTF has a whole number")
    return value
