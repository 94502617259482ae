"""Read PLY files, ASCII and binary: positions, texture coordinates of vertices, and polygons."""

import re
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumenmill_studio.mesh_files.triangles import (
    MAX_TRIANGLES,
    MAX_VERTICES,
    Polygons,
    Triangles,
    fans,
    refuse_more_triangles,
)

__all__ = ["read_ply"]

_HEAD = re.compile(rb"ply[ \t]*(\r\n|\n|\r)(.*?)(?:\r\n|\n|\r)end_header[ \t]*\1", re.DOTALL)
_MAX_HEAD_BYTES = 1 << 20
_LINE = re.compile(rb"\S[^\r\n]*")
_MAX_WORDS = 4 * MAX_TRIANGLES
# NumPy's codes of the types of the specification and of those that are in use beside them.
_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"int64": "i8", "uint64": "u8", "float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
_STRUCT_CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"}
_BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}
_INDICES = ("vertex_indices", "vertex_index")
_COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))


@dataclass(frozen=True)
class _Property:
    """A number of each element, or with ``count_type`` a list of them that starts with its length."""

    name: str
    type: str
    count_type: str = ""


@dataclass(frozen=True)
class _Element:
    """One table of the file: ``count`` rows of its properties."""

    name: str
    count: int
    properties: tuple[_Property, ...]

    @property
    def has_lists(self) -> bool:
        return any(each.count_type for each in self.properties)

    def column(self, *names: str) -> int:
        """Return the number of the first property that has one of the names; -1 if there is none."""
        return next((at for at, each in enumerate(self.properties) if each.name in names), -1)

    @property
    def indices_column(self) -> int:
        """Return the number of the list of whole numbers that are the corners of a polygon; -1 if there is none."""
        column = self.column(*_INDICES)
        listed = self.properties[column] if column >= 0 else None
        return column if listed and listed.count_type and listed.type in _STRUCT_CODES else -1


def read_ply(data: bytes) -> Triangles:
    """Return the triangles of a PLY file. ASCII numbers are read in double precision, whatever type they declare.

    Raises:
        ValueError: the file is cut off, too large, or no valid PLY; the text says why.
    """
    match = _HEAD.match(data[:_MAX_HEAD_BYTES])
    if match is None:
        raise ValueError("has no complete PLY header")
    byte_order, elements = _header(match[2].decode("ascii", "replace"))
    body = memoryview(data)[match.end() :]
    rows = _BinaryRows(body, byte_order) if byte_order else _AsciiRows(body)
    table, faces_f3 = None, None
    for element in elements:
        if table is not None and faces_f3 is not None:
            break
        if element.count > MAX_VERTICES:
            raise ValueError(f"declares {element.count} of {element.name}; at most {MAX_VERTICES} are read")
        if element.name == "vertex":
            table = _vertices(rows, element)
        else:
            read_f3 = rows.triangles(element)
            faces_f3 = read_f3 if element.name == "face" else faces_f3
    if table is None or faces_f3 is None:
        raise ValueError("has no triangles; points and triangle strips of PLY files are not read")
    return Triangles(table[0], faces_f3, table[1])


def _header(text: str) -> tuple[str, list[_Element]]:
    """Return the byte order, empty for ASCII, and the elements."""
    byte_order, elements = None, list[_Element]()
    for line in text.splitlines():
        match line.split():
            case ["format", "ascii", _]:
                byte_order = ""
            case ["format", name, _] if name in _BYTE_ORDERS:
                byte_order = _BYTE_ORDERS[name]
            case ["element", name, count] if count.isdecimal():
                elements.append(_Element(name, int(count), ()))
            case ["property", "list", count_type, kind, name] if elements and kind in _TYPES and _counts(count_type):
                elements[-1] = _with(elements[-1], _Property(name, _TYPES[kind], _TYPES[count_type]))
            case ["property", kind, name] if elements and kind in _TYPES:
                elements[-1] = _with(elements[-1], _Property(name, _TYPES[kind]))
            case [] | ["comment" | "obj_info", *_]:
                pass
            case _:
                raise ValueError(f"has the line {line[:80]!r} in its header, which PLY does not know")
    if byte_order is None:
        raise ValueError("has a header without a format")
    return byte_order, elements


def _counts(kind: str) -> bool:
    return _TYPES.get(kind) in _STRUCT_CODES


def _with(element: _Element, added: _Property) -> _Element:
    return _Element(element.name, element.count, (*element.properties, added))


def _vertices(
    rows: "_AsciiRows | _BinaryRows", element: _Element
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return positions (V, 3) and, where the file has them, texture coordinates (V, 2)."""
    position = [element.column(name) for name in "xyz"]
    if element.has_lists or -1 in position:
        raise ValueError("has vertices without x, y and z, or with lists")
    pairs = [[element.column(name) for name in pair] for pair in _COORDINATES]
    coordinates = next((pair for pair in pairs if -1 not in pair), [])
    values = rows.columns(element, position + coordinates)
    return values[:, :3], values[:, 3:] if coordinates else None


class _AsciiRows:
    """Reads elements that are one line each."""

    def __init__(self, body: memoryview) -> None:
        self._lines = _LINE.finditer(body)

    def columns(self, element: _Element, columns: list[int]) -> NDArray[np.float64]:
        """Return some properties of all rows of an element without lists, (rows, columns)."""
        values = array("d")
        for words in self._rows(element):
            if len(words) < len(element.properties):
                raise ValueError(f"has a line of {element.name} with too few numbers")
            values.extend([float(words[at]) for at in columns])
        return np.array(values, np.float64).reshape(-1, len(columns))

    def triangles(self, element: _Element) -> NDArray[np.int64]:
        """Return the triangles of an element of polygons; none if it has no vertex indices."""
        polygons, wanted = Polygons(), element.indices_column
        for words in self._rows(element):
            if wanted >= 0:
                polygons.add(_ascii_indices(words, element, wanted))
        return polygons.triangles()

    def _rows(self, element: _Element) -> Iterator[list[bytes]]:
        for number in range(element.count):
            line = next(self._lines, None)
            if line is None:
                raise ValueError(f"is cut off: declares {element.count} of {element.name} and has {number}")
            yield line.group().split(maxsplit=_MAX_WORDS)


def _ascii_indices(words: list[bytes], element: _Element, wanted: int) -> list[int]:
    at = 0
    for each in element.properties[:wanted]:
        at += 1 + (_length(words, at) if each.count_type else 0)
    size = _length(words, at)
    indices = [int(word) for word in words[at + 1 : at + 1 + size]]
    if len(indices) < size:
        raise ValueError(f"has a line of {element.name} with too few numbers")
    return indices


def _length(words: list[bytes], at: int) -> int:
    if at >= len(words) or not words[at].isdigit():
        raise ValueError("has a list without its length")
    return int(words[at])


class _BinaryRows:
    """Reads elements one after another."""

    def __init__(self, body: memoryview, byte_order: str) -> None:
        self._body, self._byte_order, self._at = body, byte_order, 0

    def columns(self, element: _Element, columns: list[int]) -> NDArray[np.float64]:
        """As `_AsciiRows.columns`."""
        kind = np.dtype([(str(at), self._byte_order + each.type) for at, each in enumerate(element.properties)])
        table = self._table(element, kind)
        return np.stack([table[str(at)].astype(np.float64) for at in columns], axis=1)

    def triangles(self, element: _Element) -> NDArray[np.int64]:
        """As `_AsciiRows.triangles`."""
        wanted = element.indices_column
        lengths = self._first_lengths(element)
        kind = np.dtype([part for at, each in enumerate(element.properties) for part in self._parts(at, each, lengths)])
        if element.count * kind.itemsize <= len(self._body) - self._at:
            table = np.frombuffer(self._body, kind, element.count, self._at)
            if all((table[f"length {at}"] == length).all() for at, length in lengths.items()):
                self._at += table.nbytes
                return _fans_of(table[str(wanted)]) if lengths.get(wanted, 0) > 0 else np.empty((0, 3), np.int64)
        return self._mixed_triangles(element, wanted)

    def _table(self, element: _Element, kind: np.dtype[np.void]) -> NDArray[np.void]:
        size = element.count * kind.itemsize
        if size > len(self._body) - self._at:
            raise _cut_off(element)
        table = np.frombuffer(self._body, kind, element.count, self._at)
        self._at += size
        return table

    def _first_lengths(self, element: _Element) -> dict[int, int]:
        """Return the lengths of the lists in the first row; mostly all rows have the same."""
        if not element.count:
            return {}
        return {column: length for column, _, length in self._lists(element, self._at)[0]}

    def _parts(self, at: int, each: _Property, lengths: dict[int, int]) -> list[tuple[str, str, tuple[int, ...]]]:
        if not each.count_type:
            return [(str(at), self._byte_order + each.type, ())]
        length = lengths.get(at, 0)
        return [
            (f"length {at}", self._byte_order + each.count_type, ()),
            (str(at), self._byte_order + each.type, (length,)),
        ]

    def _mixed_triangles(self, element: _Element, wanted: int) -> NDArray[np.int64]:
        """Return the triangles of polygons with different numbers of corners."""
        starts: dict[int, array[int]] = {}
        num_triangles = 0
        for _ in range(element.count):
            lists, self._at = self._lists(element, self._at)
            for column, start, length in lists:
                if column == wanted and length > 2:
                    starts.setdefault(length, array("q")).append(start)
                    num_triangles += length - 2
            refuse_more_triangles(num_triangles)
        kind = np.dtype(self._byte_order + element.properties[wanted].type)
        groups = [self._fans_at(np.array(each), length, kind) for length, each in starts.items()]
        return np.concatenate(groups) if groups else np.empty((0, 3), np.int64)

    def _fans_at(self, starts_p: NDArray[np.int64], length: int, kind: np.dtype[np.void]) -> NDArray[np.int64]:
        content = np.frombuffer(self._body, np.uint8)
        polygons = content[starts_p[:, None] + np.arange(length * kind.itemsize)]
        return _fans_of(polygons.view(kind))

    def _lists(self, element: _Element, at: int) -> tuple[list[tuple[int, int, int]], int]:
        """Return column, start and length of every list in the row at ``at``, and where the row ends."""
        lists = []
        for column, each in enumerate(element.properties):
            length = 1
            if each.count_type:
                if at + int(each.count_type[1]) > len(self._body):
                    raise _cut_off(element)
                (length,) = struct.unpack_from(self._byte_order + _STRUCT_CODES[each.count_type], self._body, at)
                at += int(each.count_type[1])
                lists.append((column, at, length))
            at += length * int(each.type[1])
            if length < 0 or at > len(self._body):
                raise _cut_off(element)
        return lists, at


def _fans_of(polygons: NDArray[np.generic]) -> NDArray[np.int64]:
    if polygons.shape[1] < 3:
        return np.empty((0, 3), np.int64)
    refuse_more_triangles(len(polygons) * (polygons.shape[1] - 2))
    return fans(polygons.astype(np.int64))


def _cut_off(element: _Element) -> ValueError:
    return ValueError(f"is cut off or damaged: declares {element.count} of {element.name}, for which it is too short")
