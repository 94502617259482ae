"""From what is wanted to a scene: one composer for each kind. Sets are laid about a group whose centre becomes the
origin."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lumenmill_studio.scenes.composition import Composition, Rng, finished, wanted_items
from lumenmill_studio.scenes.layout import Item, arranged, framing, group_bounds, scaled_to_height, set_piece
from lumenmill_studio.scenes.outdoor import outdoor
from lumenmill_studio.scenes.shapes.mesh import Array
from lumenmill_studio.scenes.vocabulary import OUTDOOR, PORTRAIT, ROOM, STILL_LIFE, Wanted

_TABLES = {"oak": "oak", "walnut": "walnut", "pine": "pine", "slate": "slate", "white marble": "white marble",
    "green marble": "green marble",
           "black marble": "black marble", "concrete": "concrete", "terracotta": "terracotta tiles",
               "tiled": "white tiles", "sandstone": "sandstone",
           "painted": "painted wood", "lacquer": "black lacquer", "linen": "oak"}  # fmt: skip


_WALLS = ("plaster", "warm plaster", "grey plaster", "blue plaster", "green plaster", "dark plaster", "ochre plaster")


def still_life(wanted: Wanted, rng: Rng) -> Composition:
    """Things on a table before a wall, seen from a little above."""
    items = wanted_items(wanted, rng)
    items = [scaled_to_height(item, float(rng.uniform(0.24, 0.3))) if item.name == "bust" else item for item in items]
    placed = arranged(items, rng)
    lower, upper = group_bounds(placed)
    lower[1] = 0.0
    size = float(np.linalg.norm(upper - lower))
    surface = next((material for word, material in _TABLES.items() if word in wanted.place), "oak")
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
    if "linen" in wanted.place:
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
    if "window" in wanted.place:
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


_BACKDROPS = {
    "grey": "grey plaster",
    "dark": "dark plaster",
    "white": "plaster",
    "ochre": "ochre plaster",
    "blue": "blue plaster",
    "green": "green plaster",
    "red": "red plaster",
}


def portrait(wanted: Wanted, rng: Rng) -> Composition:
    """One thing, close, before a seamless backdrop, in a niche, or on a plinth in a gallery."""
    item = scaled_to_height(wanted_items(wanted, rng, 38.0)[0], 0.5)
    lower, upper = item.bounds()
    half = (upper - lower) / 2
    seeds = rng.integers(1 << 30, size=4)
    start = -float(lower[1] + 0)
    if "niche" in wanted.place:
        radius = 0.62 * max(0.75, float(half[0]) * 2.4)
        stone = ("plaster", "limestone", "travertine", "warm plaster")[int(rng.integers(4))]
        pieces = [
            set_piece(
                "niche",
                "niche",
                stone,
                int(seeds[0]),
                {"radius": radius, "spring": 0.5, "width": 3.4, "height": 2.6},
                role="backdrop",
            )
        ]
    elif "gallery" in wanted.place:
        pieces = [
            set_piece(
                "plinth",
                "slab",
                "white paint",
                int(seeds[0]),
                {"width": float(half[0]) * 2.5 + 0.06, "depth": float(half[2]) * 2.5 + 0.06, "thickness": 1.0},
            ),
            set_piece(
                "wall",
                "back wall",
                "plaster",
                int(seeds[1]),
                {"z": -1.5, "width": 8, "height": 4, "base": -1.0},
                role="backdrop",
            ),
            set_piece(
                "floor",
                "slab",
                "pale planks",
                int(seeds[2]),
                {"width": 9, "depth": 7, "thickness": 0.05},
                (0, -1.0, 0.8),
            ),
        ]
    else:
        color = next((name for word, name in _BACKDROPS.items() if word in wanted.place), "grey plaster")
        pieces = [
            set_piece(
                "backdrop",
                "sweep",
                color,
                int(seeds[0]),
                {"depth": 1.5, "radius": 0.7, "width": 7, "height": 3.2, "front": 2.6},
                role="backdrop",
            )
        ]
    focal = float(rng.uniform(70, 100))
    camera = framing(lower, upper, focal, float(rng.uniform(2, 8)), 0.84)
    return finished([item.placed((0, start, 0), 0)], pieces, lower, upper, camera)


_ROOMS: dict[str, tuple[str, str]] = {
    "white": ("plaster", "pale planks"), "warm": ("warm plaster", "terracotta tiles"), "blue": ("blue plaster",
        "planks"), "green": ("green plaster", "dark planks"),
    "brick": ("brick", "planks"), "concrete": ("concrete", "concrete"), "panelled": ("panelling", "dark planks"),
        "kitchen": ("plaster", "checker tiles"),
    "stone": ("limestone", "paving"), "attic": ("plaster", "pale planks"),
}  # fmt: skip


_ON_TOP = {"vase", "stack of books", "bowl", "urn", "torus knot", "sphere", "bust"}


def room(wanted: Wanted, rng: Rng) -> Composition:
    """Furniture in the corner of a room with tall windows in its back and left walls; open towards the camera."""
    width, depth, height = float(rng.uniform(4.6, 5.4)), float(rng.uniform(4.2, 4.8)), float(rng.uniform(4.4, 4.9))
    items = [_room_sized(item, rng) for item in wanted_items(wanted, rng, 35.0)]
    flat = [item for item in items if item.name == "rug"]
    free = [item for item in items if item.name not in ("painting", "rug")]
    standing = [item for item in free if item.name not in _ON_TOP] or free[:1]
    placed = arranged(standing, rng, 1.15)
    shift = np.array([0.25, 0.0, -0.35]) - (sum(group_bounds(placed)) / 2) * np.array([1, 0, 1])
    placed = [(item, at + shift) for item, at in placed]
    placed += _on_top([item for item in free if item not in standing], placed, rng)
    objects = [item.placed(at, 0) for item, at in placed]
    lower, upper = group_bounds(placed)
    lower[1] = 0.0
    objects += [replace(item, yaw_deg=float(rng.uniform(-8, 8))).placed((0.25, 0.001, 0.1), 0) for item in flat]
    wall, floor = next((pair for word, pair in _ROOMS.items() if word in wanted.place), ("plaster", "planks"))
    windows = {"width": width, "depth": depth, "height": height, "window_width": float(rng.uniform(0.9, 1.2)),
        "sill": float(rng.choice([0.25, 0.6, 0.8])), "head": float(rng.uniform(2.4, 2.9)),
               "back_windows": 2, "back_shift": -float(rng.uniform(0.2, 0.5)), "extra": 3.6, "side_windows": 2,
                   "side_shift": 0.0, "gap": 0.75, "dark_frames": float(wall in ("brick", "concrete"))}  # fmt: skip
    paintings = _hung([item for item in items if item.name == "painting"], windows)
    objects += [item.placed(at, 0) for item, at in paintings]
    pieces = [
        set_piece("walls", "room", wall, int(rng.integers(1 << 30)), windows, role="backdrop"),
        set_piece(
            "floor",
            "slab",
            floor,
            int(rng.integers(1 << 30)),
            {"width": width + 4, "depth": depth + 4.5, "thickness": 0.1},
            (2.0, 0, 2.2),
        ),
        set_piece(
            "land outside",
            "terrain",
            "grass",
            int(rng.integers(1 << 30)),
            {"flat": 9, "extent": 400, "relief": 0.2},
            (0, -0.4, 0),
            "backdrop",
        ),
        set_piece(
            "hills outside",
            "hills",
            "distant hills",
            int(rng.integers(1 << 30)),
            {"radius": 120, "height": 14},
            (0, -0.4, 0),
            "backdrop",
        ),
    ]
    if "attic" in wanted.place or "stone" in wanted.place or rng.random() < 0.25:
        pieces.append(
            set_piece(
                "beams",
                "beams",
                "oak",
                int(rng.integers(1 << 30)),
                {"width": width, "depth": depth, "height": height, "count": 6},
                role="backdrop",
            )
        )
    # The furniture with some of its room around it; never more than the room, never so little that it is lost.
    frame_low = np.array([max(-width / 2 + 0.5, lower[0] - 0.8), 0, -1.6])
    shown = max([upper[0] + 0.8, *(float(at[0] + item.bounds()[1][0]) + 0.1 for item, at in paintings)])
    frame_high = np.array(
        [
            min(width / 2, shown) if paintings else min(width / 2 - 0.5, shown),
            float(np.clip(upper[1] + 0.7, 1.5, 2.35)),
            0.8,
        ]
    )
    camera = framing(frame_low, frame_high, float(rng.uniform(26, 31)), float(rng.uniform(6, 12)), 0.86)
    center_y = float(lower[1] + upper[1]) / 2
    camera = replace(camera, aim_y=round(0.48 * float(frame_high[1]) - center_y, 4))
    return finished(objects, pieces, lower, upper, camera)


def _hung(items: list[Item], windows: dict[str, float]) -> list[tuple[Item, Array]]:
    """Paintings on the back wall, beside its windows: the first to their right, the next to their left."""
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


COMPOSERS: dict[str, Callable[[Wanted, Rng], Composition]] = {
    STILL_LIFE: still_life,
    ROOM: room,
    PORTRAIT: portrait,
    OUTDOOR: outdoor,
}
