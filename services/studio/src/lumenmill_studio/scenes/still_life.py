"""Compose still lifes: things on a table before a wall."""

import numpy as np

from lumenmill_studio.scenes.composition import Composition, Rng, finished, requested_items
from lumenmill_studio.scenes.description import SceneRequest
from lumenmill_studio.scenes.layout import arranged, framing, group_bounds, scaled_to_height, set_piece

__all__ = ["still_life"]

_TABLES = {
    "oak": "oak",
    "walnut": "walnut",
    "pine": "pine",
    "slate": "slate",
    "white marble": "white marble",
    "green marble": "green marble",
    "black marble": "black marble",
    "concrete": "concrete",
    "terracotta": "terracotta tiles",
    "tiled": "white tiles",
    "sandstone": "sandstone",
    "painted": "painted wood",
    "lacquer": "black lacquer",
    "linen": "oak",
}


_WALLS = ("plaster", "warm plaster", "grey plaster", "blue plaster", "green plaster", "dark plaster", "ochre plaster")


def still_life(request: SceneRequest, rng: Rng) -> Composition:
    """Compose things on a table before a wall, seen from slightly above."""
    items = requested_items(request, rng)
    items = [scaled_to_height(item, float(rng.uniform(0.24, 0.3))) if item.name == "bust" else item for item in items]
    placed = arranged(items, rng)
    lower, upper = group_bounds(placed)
    lower[1] = 0.0
    size = float(np.linalg.norm(upper - lower))
    surface = next((material for word, material in _TABLES.items() if word in request.place), "oak")
    wall = (
        _WALLS[int(rng.integers(len(_WALLS)))]
        if surface not in ("slate", "black marble", "black lacquer")
        else ("grey plaster", "dark plaster", "warm plaster")[int(rng.integers(3))]
    )
    back = float(lower[2]) - float(rng.uniform(0.7, 1.5)) * size
    table = {"width": 9 * size, "depth": 3.2 * size - back, "thickness": 0.06}
    pieces = [
        set_piece("table", "slab", surface, int(rng.integers(1 << 30)), table, (0, 0, (3.2 * size + back) / 2)),
        set_piece(
            "wall",
            "back wall",
            wall,
            int(rng.integers(1 << 30)),
            {"z": back, "width": 9 * size, "height": 6 * size, "base": -0.5 * size},
            role="backdrop",
        ),
    ]
    if "linen" in request.place:
        middle = (float(lower[0] + upper[0]) / 2, 0.0, float(lower[2] + upper[2]) / 2)
        pieces.append(
            set_piece(
                "cloth",
                "cloth",
                "linen",
                int(rng.integers(1 << 30)),
                {"width": 3.4 * size, "depth": 2.2 * size},
                middle,
            )
        )
    if "window" in request.place:
        frame = {
            "width": 7 * size,
            "height": 6 * size,
            "num_windows": 2,
            "window_width": 1.5 * size,
            "sill": 0.12 * size,
            "head": 3.0 * size,
            "thickness": 0.12,
            "gap": 0.35 * size,
        }
        pieces.append(
            set_piece(
                "window",
                "window wall",
                "plaster",
                int(rng.integers(1 << 30)),
                frame,
                (-2.1 * size, -0.02, 0.2 * size),
                "backdrop",
                90.0,
            )
        )
    camera = framing(
        lower, upper, float(rng.uniform(48, 70)), float(rng.uniform(9, 20)), 0.8, float(rng.uniform(-0.02, 0.06))
    )
    return finished([item.placed(at, 0) for item, at in placed], pieces, lower, upper, camera)
