"""Compose portraits of one object: before a backdrop, in a niche, or on a plinth in a gallery."""

from lumenmill_studio.scenes.composition import Composition, Rng, finished, requested_items
from lumenmill_studio.scenes.description import SceneRequest
from lumenmill_studio.scenes.layout import framing, scaled_to_height, set_piece

__all__ = ["portrait"]

_BACKDROPS = {
    "grey": "grey plaster",
    "dark": "dark plaster",
    "white": "plaster",
    "ochre": "ochre plaster",
    "blue": "blue plaster",
    "green": "green plaster",
    "red": "red plaster",
}


def portrait(request: SceneRequest, rng: Rng) -> Composition:
    """Compose one object, close, before a seamless backdrop, in a niche, or on a plinth in a gallery."""
    item = scaled_to_height(requested_items(request, rng, 38.0)[0], 0.5)
    lower, upper = item.bounds()
    half = (upper - lower) / 2
    seeds = rng.integers(1 << 30, size=4)
    start = -float(lower[1] + 0)
    if "niche" in request.place:
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
    elif "gallery" in request.place:
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
        color = next((name for word, name in _BACKDROPS.items() if word in request.place), "grey plaster")
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
