"""Build ruins: broken columns that still stand, fallen drums, and blocks of masonry."""

from collections.abc import Mapping

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Mesh, Part, grid_mesh, merged, moved, rotated
from lumenmill_studio.scenes.shapes.noise import fractal_noise
from lumenmill_studio.scenes.shapes.solids import box

__all__ = ["ruins"]

_NUM_FLUTES = 16
# Behind the subject, as seen from the reference camera.
_FIRST_DEG, _LAST_DEG = 118.0, 242.0


def ruins(params: Mapping[str, float], rng: np.random.Generator) -> list[Part]:
    """Build ruins in an arc behind the subject: ``inner`` and ``outer`` radius, ``count``, ``size`` of a column."""
    size, count, meshes = params["size"], int(params["count"]), list[Mesh]()
    for index, angle_deg in enumerate(np.linspace(_FIRST_DEG, _LAST_DEG, count)):
        angle = np.radians(angle_deg + float(rng.uniform(-6, 6)))
        reach = float(rng.uniform(params["inner"], params["outer"]))
        at = (reach * np.sin(angle), 0.0, reach * np.cos(angle))
        piece = (_stump, _fallen_drum, _stump, _block)[index % 4](size, rng)
        meshes.append(moved(rotated(piece, "y", float(rng.uniform(0, 360))), at))
    return [Part(merged(meshes))]


def _drum(radius: float, height: float, unevenness: float, rng: np.random.Generator) -> Mesh:
    """Return a fluted cylinder, standing, whose top is broken by ``unevenness`` of its height."""
    angle = np.linspace(0, 2 * np.pi, _NUM_FLUTES * 8 + 1)
    flutes = radius * (1 - 0.06 * np.abs(np.cos(angle * _NUM_FLUTES / 2)))
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], 1)
    top = height * (1 - unevenness * (0.5 + 0.5 * fractal_noise(ring * 1.3, int(rng.integers(1 << 30)), 3)))
    rows = [
        (1.0, np.zeros_like(angle)),
        (1.0, top),
        (0.96, top + 0.01 * radius),
        (0.5, top),
        (0.0, top * 0 + top.mean()),
    ]
    x_z = [(share * flutes * np.sin(angle), y, share * flutes * np.cos(angle)) for share, y in rows]
    points = np.stack([np.stack(row, -1) for row in x_z])
    length = np.cumsum([0.0, height, 0.04 * radius, 0.5 * radius, 0.5 * radius])[:, None]
    uv = np.stack(np.broadcast_arrays(angle[None, :] * radius, length), -1)
    sheet = grid_mesh(points, np.asarray(uv, float))
    return Mesh(sheet.vertices_v3, sheet.faces_f3, sheet.uv_v2)


def _stump(size: float, rng: np.random.Generator) -> Mesh:
    foot = box((0.34 * size, 0.08 * size, 0.34 * size), 0.01 * size, (0, 0.04 * size, 0))
    shaft = _drum(0.13 * size, float(rng.uniform(0.3, 1.0)) * size, 0.3, rng)
    return merged([foot, moved(shaft, (0, 0.08 * size, 0))])


def _fallen_drum(size: float, rng: np.random.Generator) -> Mesh:
    length = float(rng.uniform(0.4, 0.7)) * size
    return moved(rotated(_drum(0.13 * size, length, 0.12, rng), "x", 90), (0, 0.11 * size, -length / 2))


def _block(size: float, rng: np.random.Generator) -> Mesh:
    wide, high = float(rng.uniform(0.3, 0.55)) * size, float(rng.uniform(0.18, 0.3)) * size
    return rotated(box((wide, high, 0.26 * size), 0.015 * size, (0, 0.4 * high, 0)), "z", float(rng.uniform(-9, 9)))
