"""Every shape that studio can build, by name. A builder takes a seeded generator and returns parts that stand on y =
0."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from lumenmill_studio.scenes.shapes import built, natural, sculpted, solids, vessels
from lumenmill_studio.scenes.shapes.mesh import Mesh, Part

__all__ = ["SHAPES", "Builder", "Mesh", "Part", "build_shape"]

Rng = np.random.Generator
Builder = Callable[[Rng], list[Part]]


def _torus_knot(rng: Rng) -> list[Part]:
    p, q = [(2, 3), (3, 2), (2, 5), (3, 4)][int(rng.integers(4))]
    return [Part(solids.torus_knot(p, q, float(rng.uniform(0.055, 0.065)), 0.0135 if q < 5 else 0.0105))]


def _gear(rng: Rng) -> list[Part]:
    return [
        Part(solids.gear(int(rng.integers(12, 20)), float(rng.uniform(0.06, 0.075)), float(rng.uniform(0.02, 0.03))))
    ]


def _ring(rng: Rng) -> list[Part]:
    radius = float(rng.uniform(0.05, 0.065))
    return [Part(solids.torus(radius, radius * float(rng.uniform(0.18, 0.3))))]


def _seashell(rng: Rng) -> list[Part]:
    return [Part(solids.seashell(float(rng.uniform(4.2, 5.2)), float(rng.uniform(0.12, 0.16))))]


SHAPES: dict[str, Builder] = {
    "abstract sculpture": sculpted.abstract_sculpture, "amphora": vessels.amphora, "apple": natural.apple,
        "arch": built.arch,
    "armchair": built.armchair, "bell": vessels.bell, "bench": built.bench, "block": built.block, "book": built.book,
    "bookshelf": built.bookshelf, "bottle": vessels.bottle, "boulder": natural.boulder, "bowl": vessels.bowl,
        "box": built.small_box,
    "branch": natural.branch, "bust": sculpted.bust, "candle": vessels.candle, "candlestick": vessels.candlestick,
        "chair": built.chair,
    "chess pawn": vessels.chess_pawn, "colonnade": built.colonnade, "column": built.column, "cone": vessels.cone,
        "cottage": built.cottage,
    "cube": built.cube, "cup": vessels.cup, "cylinder": vessels.cylinder, "cypress": natural.cypress,
        "egg": vessels.egg,
    "floor lamp": built.floor_lamp, "fountain": built.fountain, "gear": _gear, "goblet": vessels.goblet,
        "head": sculpted.head,
    "jar": vessels.jar, "jug": vessels.jug, "kettle": vessels.kettle, "ladder": built.ladder, "lamp": vessels.lamp,
    "lemon": natural.lemon, "mortar": vessels.mortar, "mug": vessels.mug, "obelisk": built.obelisk,
        "orange": natural.orange,
    "painting": built.painting, "pavilion": built.pavilion, "pear": natural.pear, "pebble": natural.pebble,
        "plate": vessels.plate,
    "plinth": built.plinth, "plum": natural.plum, "pomegranate": natural.pomegranate,
        "potted plant": natural.potted_plant,
    "pumpkin": natural.pumpkin, "ring": _ring, "rock": natural.rock, "rug": built.rug, "seashell": _seashell,
        "sphere": vessels.sphere,
    "spinning top": vessels.spinning_top, "stack of books": built.stack_of_books,
        "stacked stones": natural.stacked_stones,
    "staircase": built.staircase, "statue": sculpted.statue, "stool": built.stool, "table": built.table,
        "teapot": vessels.teapot,
    "torus knot": _torus_knot, "tower": built.tower, "tree": natural.tree, "urn": vessels.urn, "vase": vessels.vase,
        "wall": built.wall,
    "well": built.well,
}  # fmt: skip


@lru_cache(maxsize=48)
def build_shape(name: str, seed: int) -> tuple[Part, ...]:
    """The parts of the named shape for a seed; the same name and seed give the same parts.

    Raises:
        KeyError: when there is no such shape.
    """
    return tuple(SHAPES[name](np.random.default_rng(seed)))
