"""Build furniture, boxes and books. They stand on y = 0, in metres."""

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Mesh, Part, merged, moved, rotated
from lumenmill_studio.scenes.shapes.solids import box, standing_box, superellipsoid
from lumenmill_studio.scenes.shapes.turned import tube, turned, vessel

__all__ = [
    "Rng",
    "armchair",
    "bench",
    "block",
    "book",
    "bookshelf",
    "chair",
    "cube",
    "floor_lamp",
    "ladder",
    "painting",
    "plinth",
    "rug",
    "small_box",
    "stack_of_books",
    "stool",
    "table",
]

Rng = np.random.Generator


def cube(rng: Rng) -> list[Part]:
    """Build a cube with crisp, softened edges."""
    edge = float(rng.uniform(0.085, 0.11))
    return [Part(standing_box((edge, edge, edge), bevel=0.003))]


def block(rng: Rng) -> list[Part]:
    """Build an upright block."""
    return [
        Part(
            standing_box(
                (float(rng.uniform(0.08, 0.1)), float(rng.uniform(0.14, 0.2)), float(rng.uniform(0.07, 0.09))),
                bevel=0.003,
            )
        )
    ]


def small_box(rng: Rng) -> list[Part]:
    """Build a casket with a lid and a small knob."""
    x, y, z = float(rng.uniform(0.14, 0.18)), float(rng.uniform(0.06, 0.08)), float(rng.uniform(0.09, 0.12))
    lid = standing_box((x + 0.006, y * 0.28, z + 0.006), (0, y + 0.0015, 0), 0.004)
    knob = moved(superellipsoid((0.012, 0.012, 0.012), 1.0, 24, 32), (0, y * 0.86, z / 2 + 0.004))
    return [Part(merged([standing_box((x, y, z), bevel=0.003), lid])), Part(knob, "brass")]


def _book(rng: Rng, size: tuple[float, float, float]) -> list[Part]:
    x, y, z = size
    board = 0.003
    cover = merged(
        [
            standing_box((x, board, z), bevel=0.001),
            standing_box((x, board, z), (0, y - board, 0), 0.001),
            standing_box((board, y, z), (-x / 2 + board / 2, 0, 0), 0.0014),
        ]
    )
    pages = standing_box((x - 0.006, y - 2 * board, z - 0.008), (0.0005, board, 0), 0.0008)
    return [Part(cover), Part(pages, "paper")]


def book(rng: Rng) -> list[Part]:
    """Build a closed book lying flat."""
    return _book(
        rng, (float(rng.uniform(0.13, 0.16)), float(rng.uniform(0.025, 0.045)), float(rng.uniform(0.18, 0.22)))
    )


_COVERS = ("red cloth", "blue cloth", "green cloth", "ochre cloth", "leather", "grey cloth")


def stack_of_books(rng: Rng) -> list[Part]:
    """Build three to five books of different covers, stacked askew; the lowest takes the material."""
    parts: list[Part] = []
    height, reach = 0.0, 0.16
    for index in range(int(rng.integers(3, 6))):
        thick, turn = float(rng.uniform(0.02, 0.042)), float(rng.uniform(-16, 16))
        cover = _COVERS[int(rng.integers(len(_COVERS)))] if index else "main"
        for part in _book(rng, (reach, thick, reach * 1.4)):
            mesh = moved(rotated(part.mesh, "y", turn + 90), (float(rng.uniform(-0.006, 0.006)), height, 0))
            parts.append(Part(mesh, cover if part.material == "main" else part.material))
        height += thick + 0.0004
        reach *= float(rng.uniform(0.88, 0.97))
    return parts


def table(rng: Rng) -> list[Part]:
    """Build a dining table."""
    x, z, tall, leg = float(rng.uniform(1.3, 1.7)), float(rng.uniform(0.75, 0.9)), 0.74, 0.06
    meshes = [
        standing_box((x, 0.035, z), (0, tall, 0), 0.008),
        standing_box((x - 0.16, 0.09, z - 0.16), (0, tall - 0.09, 0), 0.004),
    ]
    meshes += [
        standing_box((leg, tall, leg), (sx * (x / 2 - 0.08), 0, sz * (z / 2 - 0.08)), 0.006)
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    return [Part(merged(meshes))]


def chair(rng: Rng) -> list[Part]:
    """Build a chair with a slatted back, facing +z."""
    w, seat, leg, back = 0.44, 0.45, 0.035, float(rng.uniform(0.86, 0.98))
    meshes = [
        standing_box((w, 0.03, w), (0, seat, 0), 0.01),
        standing_box((w - 0.06, 0.05, w - 0.06), (0, seat - 0.05, 0)),
    ]
    meshes += [standing_box((leg, seat, leg), (sx * (w / 2 - 0.03), 0, w / 2 - 0.03), 0.006) for sx in (-1, 1)]
    meshes += [standing_box((leg, back, leg), (sx * (w / 2 - 0.03), 0, -w / 2 + 0.02), 0.006) for sx in (-1, 1)]
    meshes += [
        standing_box((w - 0.06, 0.06, 0.018), (0, y, -w / 2 + 0.02), 0.006)
        for y in np.linspace(seat + 0.14, back - 0.08, 3)
    ]
    meshes += [standing_box((0.018, 0.018, w - 0.08), (sx * (w / 2 - 0.03), 0.16, 0), 0.005) for sx in (-1, 1)]
    return [Part(merged(meshes))]


def stool(rng: Rng) -> list[Part]:
    """Build a round three-legged stool."""
    seat = turned(
        [
            ((0, 0.45), (0.16, 0.45)),
            ((0.16, 0.45), (0.172, 0.462), (0.165, 0.482)),
            ((0.165, 0.482), (0.1, 0.478), (0, 0.476)),
        ]
    )
    legs = [
        rotated(tube([(0.1, 0.455, 0), (0.15, 0.22, 0), (0.19, 0, 0)], [0.017, 0.02, 0.014], 16, 16), "y", 120 * i + 30)
        for i in range(3)
    ]
    return [Part(merged([seat, *legs]))]


def bench(rng: Rng) -> list[Part]:
    """Build a plain bench."""
    x = float(rng.uniform(1.2, 1.6))
    legs = [standing_box((0.09, 0.42, 0.36), (sx * (x / 2 - 0.15), 0, 0), 0.008) for sx in (-1, 1)]
    return [Part(merged([standing_box((x, 0.06, 0.4), (0, 0.42, 0), 0.01), *legs]))]


def armchair(rng: Rng) -> list[Part]:
    """Build an upholstered armchair on wooden feet, facing +z."""

    def cushion(size: tuple[float, float, float], at: tuple[float, float, float], roundness: float = 0.32) -> Mesh:
        return moved(superellipsoid(size, roundness, 60, 110), at)

    meshes = [
        cushion((0.66, 0.26, 0.7), (0, 0.12, 0.02), 0.2),
        cushion((0.54, 0.16, 0.6), (0, 0.34, 0.06)),
        cushion((0.66, 0.66, 0.2), (0, 0.26, -0.32), 0.3),
        cushion((0.17, 0.46, 0.72), (-0.36, 0.13, 0.0), 0.35),
        cushion((0.17, 0.46, 0.72), (0.36, 0.13, 0.0), 0.35),
    ]
    feet = [
        tube([(sx * 0.32, 0.14, sz * 0.28), (sx * 0.34, 0, sz * 0.3)], [0.025, 0.014], 12, 6)
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    return [Part(merged(meshes)), Part(merged(feet), "walnut")]


def bookshelf(rng: Rng) -> list[Part]:
    """Build a tall bookshelf with books on its boards."""
    w, tall, deep, num = float(rng.uniform(0.85, 1.1)), 1.9, 0.3, 5
    boards = [standing_box((w, 0.025, deep), (0, y, 0)) for y in np.linspace(0.06, tall - 0.025, num + 1)]
    sides = [standing_box((0.025, tall, deep), (sx * w / 2, 0, 0)) for sx in (-1, 1)]
    back = standing_box((w, tall, 0.012), (0, 0, -deep / 2 + 0.006), 0.002)
    spines: dict[str, list[Mesh]] = {}
    for y in np.linspace(0.06, tall - 0.025, num + 1)[:-1]:
        x = -w / 2 + 0.03
        stop = w / 2 - float(rng.uniform(0.03, 0.45))
        while x < stop:
            thick, high = float(rng.uniform(0.018, 0.05)), float(rng.uniform(0.19, 0.28))
            cover = _COVERS[int(rng.integers(len(_COVERS)))]
            spines.setdefault(cover, []).append(
                standing_box(
                    (thick, high, 0.2), (x + thick / 2, y + 0.025, 0.02 + float(rng.uniform(-0.02, 0.02))), 0.003
                )
            )
            x += thick + 0.0015
    return [Part(merged([*boards, *sides, back])), *(Part(merged(meshes), cover) for cover, meshes in spines.items())]


def floor_lamp(rng: Rng) -> list[Part]:
    """Build a floor lamp with a fabric shade."""
    stand = turned(
        [((0, 0), (0.15, 0)), ((0.15, 0), (0.15, 0.015), (0.04, 0.03), (0.012, 0.05), (0.012, 1.4), (0, 1.42))], 150
    )
    shade = moved(vessel(((0.22, 0), (0.19, 0.12), (0.15, 0.27)), 0.003, -1.0), (0, 1.28, 0))
    return [Part(stand), Part(shade, "linen")]


def plinth(rng: Rng) -> list[Part]:
    """Build a plinth for a sculpture."""
    tall = float(rng.uniform(0.8, 1.0))
    return [
        Part(
            merged(
                [
                    standing_box((0.44, 0.06, 0.44), bevel=0.008),
                    standing_box((0.36, tall, 0.36), (0, 0.06, 0), 0.006),
                    standing_box((0.42, 0.05, 0.42), (0, tall + 0.06, 0), 0.008),
                ]
            )
        )
    ]


def rug(rng: Rng) -> list[Part]:
    """Build a flat woven rug."""
    return [Part(standing_box((float(rng.uniform(1.7, 2.2)), 0.012, float(rng.uniform(1.1, 1.4))), bevel=0.006), "rug")]


def painting(rng: Rng) -> list[Part]:
    """Build a framed abstract picture, hanging: its back lies in the plane z = 0, its centre at y = 1.55."""
    x, y = float(rng.uniform(0.6, 0.95)), float(rng.uniform(0.5, 0.75))
    bars = [box((x + 0.1, 0.05, 0.04), 0.008, (0, 1.55 + s * y / 2, 0.02)) for s in (-1, 1)]
    bars += [box((0.05, y + 0.1, 0.04), 0.008, (s * x / 2, 1.55, 0.02)) for s in (-1, 1)]
    return [Part(merged(bars)), Part(box((x, y, 0.014), 0.002, (0, 1.55, 0.012)), "canvas")]


def ladder(rng: Rng) -> list[Part]:
    """Build a wooden ladder that leans back."""
    rails = [standing_box((0.05, 2.1, 0.03), (sx * 0.2, 0, 0)) for sx in (-1, 1)]
    rungs = [rotated(standing_box((0.4, 0.03, 0.03), (0, y, 0)), "y", 0) for y in np.linspace(0.25, 1.9, 7)]
    return [Part(rotated(merged([*rails, *rungs]), "x", -14))]
