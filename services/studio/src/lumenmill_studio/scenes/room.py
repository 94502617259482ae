"""Compose rooms: furniture in a corner, with tall windows in the back and the left wall."""

from dataclasses import replace

import numpy as np

from lumenmill_studio.scenes.composition import Composition, Rng, finished, requested_items
from lumenmill_studio.scenes.description import SceneRequest
from lumenmill_studio.scenes.layout import Item, arranged, framing, group_bounds, scaled_to_height, set_piece
from lumenmill_studio.scenes.shapes.mesh import Array
from lumenmill_studio.scenes.spec import ObjectSpec, ReferenceCamera

__all__ = ["room"]

_ROOMS: dict[str, tuple[str, str]] = {
    "white": ("plaster", "pale planks"),
    "warm": ("warm plaster", "terracotta tiles"),
    "blue": ("blue plaster", "planks"),
    "green": ("green plaster", "dark planks"),
    "brick": ("brick", "planks"),
    "concrete": ("concrete", "concrete"),
    "panelled": ("panelling", "dark planks"),
    "kitchen": ("plaster", "checker tiles"),
    "stone": ("limestone", "paving"),
    "attic": ("plaster", "pale planks"),
}


# Furniture of this size, in metres, is shown with the room around it.
_WHOLE_ROOM_SIZE = 1.6
_ON_TOP = {"vase", "stack of books", "bowl", "urn", "torus knot", "sphere", "bust"}


def room(request: SceneRequest, rng: Rng) -> Composition:
    """Compose furniture in the corner of a room that is open towards the camera."""
    width, depth, height = float(rng.uniform(4.6, 5.4)), float(rng.uniform(4.2, 4.8)), float(rng.uniform(4.4, 4.9))
    items = [_room_sized(item, rng) for item in requested_items(request, rng, 35.0)]
    placed = _furniture([item for item in items if item.name not in ("painting", "rug")], rng)
    objects = [item.placed(at, 0) for item, at in placed]
    lower, upper = group_bounds(placed)
    lower[1] = 0.0
    rugs = [item for item in items if item.name == "rug"]
    objects += [replace(item, yaw_deg=float(rng.uniform(-8, 8))).placed((0.25, 0.001, 0.1), 0) for item in rugs]
    wall, floor = next((pair for word, pair in _ROOMS.items() if word in request.place), ("plaster", "planks"))
    windows = _windows(width, depth, height, wall, rng)
    paintings = _hung([item for item in items if item.name == "painting"], windows)
    objects += [item.placed(at, 0) for item, at in paintings]
    pieces = _set(request.place, wall, floor, windows, rng)
    camera = _camera(lower, upper, width, paintings, rng)
    return finished(objects, pieces, lower, upper, camera)


def _furniture(free: list[Item], rng: Rng) -> list[tuple[Item, Array]]:
    standing = [item for item in free if item.name not in _ON_TOP] or free[:1]
    placed = arranged(standing, rng, 1.15)
    shift = np.array([0.25, 0.0, -0.35]) - (sum(group_bounds(placed)) / 2) * np.array([1, 0, 1])
    placed = [(item, at + shift) for item, at in placed]
    return placed + _on_top([item for item in free if item not in standing], placed, rng)


def _windows(width: float, depth: float, height: float, wall: str, rng: Rng) -> dict[str, float]:
    return {
        "width": width,
        "depth": depth,
        "height": height,
        "window_width": float(rng.uniform(0.9, 1.2)),
        "sill": float(rng.choice([0.25, 0.6, 0.8])),
        "head": float(rng.uniform(2.4, 2.9)),
        "back_windows": 2,
        "back_shift": -float(rng.uniform(0.2, 0.5)),
        "extra": 3.6,
        "side_windows": 2,
        "side_shift": 0.0,
        "gap": 0.75,
        "dark_frames": float(wall in ("brick", "concrete")),
    }


def _set(place: str, wall: str, floor: str, windows: dict[str, float], rng: Rng) -> list[ObjectSpec]:
    """Return the walls with their windows, the floor, the land outside, and in some rooms beams."""
    width, depth, height = windows["width"], windows["depth"], windows["height"]

    def piece(
        name: str,
        shape: str,
        material: str,
        params: dict[str, float],
        at: tuple[float, float, float] = (0, 0, 0),
        role: str = "backdrop",
    ) -> ObjectSpec:
        return set_piece(name, shape, material, int(rng.integers(1 << 30)), params, at, role)

    boards = {"width": width + 4, "depth": depth + 4.5, "thickness": 0.1}
    pieces = [
        piece("walls", "room", wall, windows),
        piece("floor", "slab", floor, boards, (2.0, 0, 2.2), "ground"),
        piece("land outside", "terrain", "grass", {"flat": 9, "extent": 400, "relief": 0.2}, (0, -0.4, 0)),
        piece("hills outside", "hills", "distant hills", {"radius": 120, "height": 14}, (0, -0.4, 0)),
    ]
    if "attic" in place or "stone" in place or rng.random() < 0.25:
        beams = {"width": width, "depth": depth, "height": height, "count": 6}
        pieces.append(piece("beams", "beams", "oak", beams))
    return pieces


def _camera(lower: Array, upper: Array, width: float, paintings: list[tuple[Item, Array]], rng: Rng) -> ReferenceCamera:
    """Return the camera that frames the furniture and part of the room around it, within the room's bounds.

    Less of the room is in the picture of small things, which would be tiny in it, unless paintings are to be seen.
    """
    size = max(float(upper[1]), float(upper[0] - lower[0]) / 1.5)
    share = 1.0 if paintings else float(np.clip(size / _WHOLE_ROOM_SIZE, 0.3, 1.0))
    frame_low = np.array([max(-width / 2 + 0.5, lower[0] - 0.8 * share), 0, -1.6 * share])
    shown = max([upper[0] + 0.8 * share, *(float(at[0] + item.bounds()[1][0]) + 0.1 for item, at in paintings)])
    right = min(width / 2, shown) if paintings else min(width / 2 - 0.5, shown)
    frame_high = np.array([right, float(np.clip(upper[1] + 0.7 * share, 1.5 * share, 2.35)), 0.8 * share])
    camera = framing(frame_low, frame_high, float(rng.uniform(26, 31)), float(rng.uniform(6, 12)), 0.86)
    center_y = float(lower[1] + upper[1]) / 2
    return replace(camera, aim_y=round(0.48 * float(frame_high[1]) - center_y, 4))


def _hung(items: list[Item], windows: dict[str, float]) -> list[tuple[Item, Array]]:
    """Hang paintings on the back wall beside its windows: the first to the right, the second to the left."""
    reach = windows["window_width"] + windows["gap"] / 2
    sides = (
        (windows["back_shift"] + reach, windows["width"] / 2),
        (-windows["width"] / 2, windows["back_shift"] - reach),
    )
    placed = []
    for item, (low, high) in zip(items, sides, strict=False):
        lower, upper = replace(item, yaw_deg=0.0).bounds()
        scale = min(1.0, 0.85 * (high - low) / float(upper[0] - lower[0]))
        sized = replace(item, yaw_deg=0.0, scale=item.scale * scale)
        placed.append((sized, np.array([(low + high) / 2, 0.05, -windows["depth"] / 2 + 0.002])))
    return placed


def _room_sized(item: Item, rng: Rng) -> Item:
    heights = {
        "bust": 0.62,
        "statue": 1.65,
        "torus knot": 0.55,
        "sphere": 0.34,
        "vase": 0.5,
        "urn": 0.55,
        "bowl": 0.13,
        "potted plant": 1.0,
        "stack of books": 0.2,
        "arch": 2.2,
        "column": 2.3,
    }
    return scaled_to_height(item, heights[item.name] * float(rng.uniform(0.9, 1.1))) if item.name in heights else item


def _on_top(items: list[Item], placed: list[tuple[Item, Array]], rng: Rng) -> list[tuple[Item, Array]]:
    supports = [
        (item, at) for item, at in placed if item.name in ("table", "plinth", "stool", "bench", "bookshelf", "column")
    ]
    result: list[tuple[Item, Array]] = []
    for index, item in enumerate(items):
        if not supports:
            result.append((item, np.array([-0.9 + 0.6 * index, 0.0, 0.5])))
            continue
        support, at = supports[index % len(supports)]
        lower, upper = support.bounds()
        slack = np.maximum((upper - lower) / 2 - 0.25, 0)
        limit = {"table": 0.3, "plinth": 0.5, "stool": 0.28}.get(support.name)
        sized = scaled_to_height(item, limit) if limit and float(item.bounds()[1][1]) > limit else item
        offset = np.array([rng.uniform(-1, 1) * slack[0], float(upper[1]), rng.uniform(-0.5, 0.5) * slack[2]])
        result.append((sized, at + offset))
    return result
