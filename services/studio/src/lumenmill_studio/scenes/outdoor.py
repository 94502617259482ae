"""Compose outdoor scenes: the subject on open land, trees around it, hills behind."""

from dataclasses import dataclass, replace

import numpy as np

from lumenmill_studio.scenes.composition import Composition, Rng, finished, requested_items
from lumenmill_studio.scenes.description import SceneRequest
from lumenmill_studio.scenes.layout import Item, framing, group_bounds, scaled_to_height, set_piece
from lumenmill_studio.scenes.shapes.mesh import Array
from lumenmill_studio.scenes.spec import ObjectSpec, ReferenceCamera

__all__ = ["Placed", "outdoor"]

Placed = list[tuple[Item, Array]]
# Objects farther back than this, in metres, may be cut by the frame.
_BEHIND = -1.0
# Fraction of the frame's half width up to which objects beside the subject may extend.
_FRAME_SHARE = 0.95


@dataclass(frozen=True)
class _Land:
    ground: str
    far: str
    relief: float = 0.5
    grass_height: float = 0.0
    stones: int = 0
    walled: str = ""


_LANDS: dict[str, _Land] = {
    "courtyard": _Land("paving", "distant hills", 0.0, walled="warm plaster"),
    "lawn": _Land("grass", "distant hills", 0.25, 0.05),
    "meadow": _Land("grass", "distant hills", 0.9, 0.2),
    "desert": _Land("sand", "distant dunes", 1.2, 0.0, 22),
    "terrace": _Land("paving", "distant hills", 0.05),
    "garden": _Land("grass", "distant hills", 0.1, 0.06, walled="brick"),
    "ruins": _Land("earth ground", "distant hills", 0.4, 0.09, 60),
    "snowy": _Land("snow", "distant snow", 0.8),
    "beach": _Land("sand", "distant hills", 0.35, 0.0, 40),
    "rocky": _Land("gravel", "distant dunes", 0.6, 0.0, 90),
    "square": _Land("paving", "distant hills", 0.0),
}


_HEIGHTS_OUT = {
    "statue": 2.3,
    "bust": 1.3,
    "urn": 1.3,
    "obelisk": 3.0,
    "torus knot": 1.6,
    "abstract sculpture": 2.0,
    "stacked stones": 1.4,
    "fountain": 1.7,
}


def outdoor(request: SceneRequest, rng: Rng) -> Composition:
    """Compose one object on open land, with others beside or behind it, and hills beyond."""
    items = requested_items(request, rng, 30.0)
    items = [
        scaled_to_height(item, _HEIGHTS_OUT[item.name] * float(rng.uniform(0.9, 1.1)))
        if item.name in _HEIGHTS_OUT
        else item
        for item in items
    ]
    main, others = items[0], items[1:]
    placed = [(main, np.zeros(3))]
    lower, upper = group_bounds(placed)
    lower[1] = 0.0
    size = max(float(np.linalg.norm(upper - lower)) / 2, 1.0)
    companions = _companions(others, size, rng)
    objects = [item.placed(at, 0) for item, at in (*placed, *companions)]
    land = next((value for word, value in _LANDS.items() if word in request.place), _LANDS["lawn"])
    seeds = [int(seed) for seed in rng.integers(1 << 30, size=8)]
    pieces = [
        set_piece(
            "ground",
            "terrain",
            land.ground,
            seeds[0],
            {"flat": 2.2 * size, "extent": 90 * size, "relief": land.relief * size},
        ),
        set_piece(
            "hills",
            "hills",
            land.far,
            seeds[1],
            {"radius": 42 * size, "height": float(rng.uniform(4, 7.5)) * size},
            role="backdrop",
        ),
    ]
    if land.grass_height:
        grass = {"inner": 0.0, "outer": 9 * size, "count": 30000, "height": land.grass_height * min(size, 2.0)}
        pieces.append(set_piece("grass", "blades", "grass blade", seeds[2], grass))
    if land.stones:
        pieces.append(
            set_piece(
                "stones",
                "stones",
                "rock",
                seeds[3],
                {"inner": 0.9 * size, "outer": 7 * size, "count": land.stones, "size": 0.1 * size},
            )
        )
    if land.walled:
        pieces.append(
            set_piece(
                "wall",
                "garden wall",
                land.walled,
                seeds[4],
                {"height": 1.05 * size, "z": -2.9 * size, "x": -3.4 * size},
            )
        )
    if "ruins" in request.place:
        remains = {"inner": 2.4 * size, "outer": 4.2 * size, "count": 9, "size": 1.1 * size}
        pieces.append(set_piece("ruins", "ruins", "limestone", seeds[6], remains))
    if "beach" in request.place:
        sea = {"width": 300 * size, "depth": 110 * size, "thickness": 0.05}
        pieces.append(set_piece("sea", "slab", "water", seeds[5], sea, (0, 0.04 * size, -59 * size)))
    pieces += _trees(land, size, rng)
    camera = framing(
        lower, upper, float(rng.uniform(30, 42)), float(rng.uniform(2, 7)), float(rng.uniform(0.6, 0.7)), 0.03
    )
    return finished(objects, pieces, lower, upper, _showing(camera, companions))


def _showing(camera: ReferenceCamera, companions: Placed) -> ReferenceCamera:
    """Return the camera, moved back until objects beside the subject are completely visible."""
    distance, tan_half = camera.distance, 18 / camera.focal_length_mm
    for item, at in companions:
        lower, upper = item.bounds()
        if at[2] > _BEHIND:
            reach = max(abs(at[0] + lower[0]), abs(at[0] + upper[0]))
            distance = max(distance, float(reach / (_FRAME_SHARE * tan_half) + at[2] + upper[2]))
    return replace(camera, distance=round(distance, 5))


def _companions(items: list[Item], size: float, rng: Rng) -> Placed:
    """Place small objects beside the subject, tall ones behind it."""
    placed: Placed = []
    for index, item in enumerate(items):
        side = (-1.0 if index % 2 else 1.0) * (1.0 if rng.random() < 0.8 else -1.0)
        small = item.name in ("rock", "boulder", "bench", "urn", "stacked stones")
        at = np.array(
            [
                side * size * float(rng.uniform(1.0, 1.3) if small else rng.uniform(1.7, 2.6)),
                0.0,
                size * float(rng.uniform(-0.4, 0.6) if small else rng.uniform(-3.4, -1.6)),
            ]
        )
        placed.append((scaled_to_height(item, size * 0.5) if item.name in ("rock", "boulder") else item, at))
    return placed


def _trees(land: _Land, size: float, rng: Rng) -> list[ObjectSpec]:
    if land.ground not in ("grass", "earth ground", "paving"):
        return []
    kind = "cypress" if rng.random() < 0.5 else "tree"
    trees: list[ObjectSpec] = []
    for index in range(int(rng.integers(3, 6))):
        item = Item(
            kind,
            "bark",
            int(rng.integers(1 << 30)) if index < 2 else trees[0].seed,
            float(rng.uniform(0, 360)),
            float(rng.uniform(0.8, 1.3)) * max(1.0, size * 0.5),
        )
        side = -1.0 if index % 2 else 1.0
        at = (side * size * float(rng.uniform(2.6, 7)), 0.0, -size * float(rng.uniform(4.5, 11)))
        trees.append(item.placed(at, 0, "backdrop"))
    return trees
