"""The triangles of a file, and the limits that hold for every format. Legend: V vertices, F triangles, P polygons."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_TRIANGLES", "MAX_VERTICES", "Polygons", "Triangles", "fans", "refuse_more_triangles"]

MAX_TRIANGLES = 2_000_000
MAX_VERTICES = 3 * MAX_TRIANGLES


@dataclass(frozen=True)
class Triangles:
    """What a file holds: positions (V, 3), indices (F, 3) and, where every vertex has them, texture coordinates (V, 2).

    Nothing is checked yet; indices may be out of range and positions not finite.
    """

    vertices_v3: NDArray[np.float64]
    faces_f3: NDArray[np.int64]
    uv_v2: NDArray[np.float64] | None = None


class Polygons:
    """Collects polygons one by one, in flat arrays: a file may have millions of them."""

    def __init__(self) -> None:
        self._by_size: dict[int, array[int]] = {}
        self._num_triangles = 0

    def add(self, indices: Sequence[int]) -> None:
        """Add a polygon; one with fewer than three corners has no area and is left out.

        Raises:
            ValueError: there are more than `MAX_TRIANGLES` triangles.
        """
        size = len(indices)
        # One without an area counts too, so that reading ends.
        self._num_triangles += max(size - 2, 1)
        refuse_more_triangles(self._num_triangles)
        if size < 3:
            return
        self._by_size.setdefault(size, array("q")).extend(indices)

    def triangles(self) -> NDArray[np.int64]:
        """Return the triangles of all polygons, (F, 3); those of equal polygons are in the order in which they came."""
        groups = [fans(np.array(flat, np.int64).reshape(-1, size)) for size, flat in self._by_size.items()]
        return np.concatenate(groups) if groups else np.empty((0, 3), np.int64)


def fans(polygons_pn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the triangles (P · (n - 2), 3) of polygons with n corners each, as fans about their first corners."""
    num_polygons, size = polygons_pn.shape
    first = np.broadcast_to(polygons_pn[:, :1], (num_polygons, size - 2))
    return np.stack([first, polygons_pn[:, 1:-1], polygons_pn[:, 2:]], axis=-1).reshape(-1, 3)


def refuse_more_triangles(number: int) -> None:
    """Raise ValueError if a mesh has more triangles than are rendered in a reasonable time."""
    if number > MAX_TRIANGLES:
        raise ValueError(f"has more than {MAX_TRIANGLES} triangles")
