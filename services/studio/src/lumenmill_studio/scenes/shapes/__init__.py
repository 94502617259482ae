"""Every shape that studio can build, by name. A builder takes a seeded generator and returns parts that stand on y =
0."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from lumenmill_studio.scenes.shapes import architecture, furniture, natural, ornaments, sculpted, solids, vessels
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
        "arch": architecture.arch,
    "armchair": furniture.armchair, "bell": ornaments.bell,
    "bench": furniture.bench, "block": furniture.block, "book": furniture.book,
    "bookshelf": furniture.bookshelf, "bottle": vessels.bottle, "boulder": natural.boulder, "bowl": vessels.bowl,
        "box": furniture.small_box,
    "branch": natural.branch, "bust": sculpted.bust, "candle": ornaments.candle, "candlestick": ornaments.candlestick,
        "chair": furniture.chair,
    "chess pawn": ornaments.chess_pawn, "colonnade": architecture.colonnade,
    "column": architecture.column, "cone": ornaments.cone,
        "cottage": architecture.cottage,
    "cube": furniture.cube, "cup": vessels.cup, "cylinder": ornaments.cylinder, "cypress": natural.cypress,
        "egg": ornaments.egg,
    "floor lamp": furniture.floor_lamp, "fountain": architecture.fountain, "gear": _gear, "goblet": vessels.goblet,
        "head": sculpted.head,
    "jar": vessels.jar, "jug": vessels.jug,
    "kettle": vessels.kettle, "ladder": furniture.ladder, "lamp": ornaments.lamp,
    "lemon": natural.lemon, "mortar": vessels.mortar, "mug": vessels.mug, "obelisk": architecture.obelisk,
        "orange": natural.orange,
    "painting": furniture.painting, "pavilion": architecture.pavilion, "pear": natural.pear, "pebble": natural.pebble,
        "plate": vessels.plate,
    "plinth": furniture.plinth, "plum": natural.plum, "pomegranate": natural.pomegranate,
        "potted plant": natural.potted_plant,
    "pumpkin": natural.pumpkin, "ring": _ring, "rock": natural.rock, "rug": furniture.rug, "seashell": _seashell,
        "sphere": ornaments.sphere,
    "spinning top": ornaments.spinning_top, "stack of books": furniture.stack_of_books,
        "stacked stones": natural.stacked_stones,
    "staircase": architecture.staircase, "statue": sculpted.statue, "stool": furniture.stool, "table": furniture.table,
        "teapot": vessels.teapot,
    "torus knot": _torus_knot, "tower": architecture.tower,
    "tree": natural.tree, "urn": vessels.urn, "vase": vessels.vase,
        "wall": architecture.wall,
    "well": architecture.well,
}  # fmt: skip


@lru_cache(maxsize=48)
def build_shape(name: str, seed: int) -> tuple[Part, ...]:
    """The parts of the named shape for a seed; the same name and seed give the same parts.

    Raises:
        KeyError: when there is no such shape.
    """
    return tuple(SHAPES[name](np.random.default_rng(seed)))
