"""Read Wavefront OBJ files: vertices, texture coordinates and polygons; materials, groups and curves are ignored."""

import codecs
import re
from array import array

import numpy as np
from numpy.typing import NDArray

from lumenmill_studio.mesh_files.triangles import MAX_TRIANGLES, MAX_VERTICES, Polygons, Triangles

__all__ = ["read_obj"]

_STATEMENT = re.compile(rb"^[ \t]*(v|vt|f)[ \t]([^\n]*)", re.MULTILINE)
_COMMENT = re.compile(rb"#[^\n]*")
_CONTINUATION = re.compile(rb"\\[ \t]*\n")
# How many numbers of a line are read. Of a vertex, a fourth one is its weight and further ones are its colour.
_POSITION, _COORDINATES = 3, 2


def read_obj(data: bytes) -> Triangles:
    """Return the triangles of an OBJ file; indices may be relative, and faces may come before their vertices.

    Raises:
        ValueError: a line cannot be read, or the mesh is too large; the text says why.
    """
    reader = _Reader()
    read = {b"v": reader.add_vertex, b"vt": reader.add_coordinates, b"f": reader.add_face}
    for statement in _STATEMENT.finditer(_plain(data)):
        keyword, text = statement.groups()
        try:
            read[keyword](text)
        except (ValueError, OverflowError) as error:
            line = statement.group().decode("utf-8", "replace").strip()
            raise ValueError(f"{str(error)[:80]}, in the line {line[:80]!r}") from error
    return reader.triangles()


def _plain(data: bytes) -> bytes:
    """Return the text without a byte order mark, comments and continued lines, its lines ended by newlines."""
    text = data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return _CONTINUATION.sub(b" ", _COMMENT.sub(b"", text))


class _Reader:
    """Collects statements in the order of the file, which relative indices count back from."""

    def __init__(self) -> None:
        self._positions, self._coordinates = array("d"), array("d")
        self._corners, self._coordinate_corners = Polygons(), Polygons()
        self._all_have_coordinates = True

    def add_vertex(self, text: bytes) -> None:
        self._positions.extend(_numbers(text, _POSITION))
        if len(self._positions) > MAX_VERTICES * _POSITION:
            raise ValueError(f"has more than {MAX_VERTICES} vertices")

    def add_coordinates(self, text: bytes) -> None:
        # The second of them may be left out, as in textures of one dimension.
        self._coordinates.extend(_numbers(text + b" 0", _COORDINATES))
        if len(self._coordinates) > MAX_VERTICES * _COORDINATES:
            raise ValueError(f"has more than {MAX_VERTICES} texture coordinates")

    def add_face(self, text: bytes) -> None:
        words = text.split(maxsplit=MAX_TRIANGLES + 2)
        if b"/" not in text:
            self._all_have_coordinates = False
            self._corners.add(_from_zero(words, len(self._positions) // _POSITION))
            return
        corners = [word.split(b"/", 2) for word in words]
        self._corners.add(_from_zero([corner[0] for corner in corners], len(self._positions) // _POSITION))
        numbers = [corner[1] for corner in corners if len(corner) > 1 and corner[1]]
        self._all_have_coordinates &= len(numbers) == len(corners)
        if self._all_have_coordinates:
            self._coordinate_corners.add(_from_zero(numbers, len(self._coordinates) // _COORDINATES))

    def triangles(self) -> Triangles:
        """Return all triangles; with texture coordinates only if every corner has them."""
        vertices_v3 = np.array(self._positions, np.float64).reshape(-1, _POSITION)
        coordinates_n2 = np.array(self._coordinates, np.float64).reshape(-1, _COORDINATES)
        faces_f3, coordinates_f3 = self._corners.triangles(), self._coordinate_corners.triangles()
        in_range = _all_below(faces_f3, len(vertices_v3)) and _all_below(coordinates_f3, len(coordinates_n2))
        if not (self._all_have_coordinates and in_range):
            return Triangles(vertices_v3, faces_f3)
        pairs, corners = np.unique(faces_f3 * len(coordinates_n2) + coordinates_f3, return_inverse=True)
        of_position, of_coordinates = np.divmod(pairs, len(coordinates_n2))
        # Pictures are stored from their top, texture coordinates count from the bottom.
        uv_v2 = coordinates_n2[of_coordinates] * [1, -1] + [0, 1]
        return Triangles(vertices_v3[of_position], corners.reshape(-1, 3), uv_v2)


def _numbers(text: bytes, count: int) -> list[float]:
    numbers = [float(word) for word in text.split(maxsplit=count)[:count]]
    if len(numbers) < count:
        raise ValueError(f"has fewer than {count} numbers")
    return numbers


def _from_zero(words: list[bytes], count: int) -> list[int]:
    """Return indices from zero, of indices that count from 1, or back from ``count``; some may be out of range."""
    numbers = [int(word) for word in words]
    if 0 in numbers:
        raise ValueError("has the index 0, where indices begin at 1")
    return [number - 1 if number > 0 else count + number for number in numbers]


def _all_below(indices_f3: NDArray[np.int64], count: int) -> bool:
    return bool(indices_f3.size) and int(indices_f3.min()) >= 0 and int(indices_f3.max()) < count
