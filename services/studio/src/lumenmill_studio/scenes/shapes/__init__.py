"""List every shape that studio can build, by name. Builders take a seeded generator and return parts on y = 0."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from lumenmill_studio.scenes.shapes import (
    architecture,
    fruit,
    furniture,
    handled_vessels,
    ornaments,
    plants,
    sculpted,
    solids,
    stones,
    vessels,
)
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
    "abstract sculpture": sculpted.abstract_sculpture,
    "amphora": handled_vessels.amphora,
    "apple": fruit.apple,
    "arch": architecture.arch,
    "armchair": furniture.armchair,
    "bell": ornaments.bell,
    "bench": furniture.bench,
    "block": furniture.block,
    "book": furniture.book,
    "bookshelf": furniture.bookshelf,
    "bottle": vessels.bottle,
    "boulder": stones.boulder,
    "bowl": vessels.bowl,
    "box": furniture.small_box,
    "branch": plants.branch,
    "bust": sculpted.bust,
    "candle": ornaments.candle,
    "candlestick": ornaments.candlestick,
    "chair": furniture.chair,
    "chess pawn": ornaments.chess_pawn,
    "colonnade": architecture.colonnade,
    "column": architecture.column,
    "cone": ornaments.cone,
    "cottage": architecture.cottage,
    "cube": furniture.cube,
    "cup": vessels.cup,
    "cylinder": ornaments.cylinder,
    "cypress": plants.cypress,
    "egg": ornaments.egg,
    "floor lamp": furniture.floor_lamp,
    "fountain": architecture.fountain,
    "gear": _gear,
    "goblet": vessels.goblet,
    "head": sculpted.head,
    "jar": vessels.jar,
    "jug": handled_vessels.jug,
    "kettle": handled_vessels.kettle,
    "ladder": furniture.ladder,
    "lamp": ornaments.lamp,
    "lemon": fruit.lemon,
    "mortar": vessels.mortar,
    "mug": handled_vessels.mug,
    "obelisk": architecture.obelisk,
    "orange": fruit.orange,
    "painting": furniture.painting,
    "pavilion": architecture.pavilion,
    "pear": fruit.pear,
    "pebble": stones.pebble,
    "plate": vessels.plate,
    "plinth": furniture.plinth,
    "plum": fruit.plum,
    "pomegranate": fruit.pomegranate,
    "potted plant": plants.potted_plant,
    "pumpkin": fruit.pumpkin,
    "ring": _ring,
    "rock": stones.rock,
    "rug": furniture.rug,
    "seashell": _seashell,
    "sphere": ornaments.sphere,
    "spinning top": ornaments.spinning_top,
    "stack of books": furniture.stack_of_books,
    "stacked stones": stones.stacked_stones,
    "staircase": architecture.staircase,
    "statue": sculpted.statue,
    "stool": furniture.stool,
    "table": furniture.table,
    "teapot": handled_vessels.teapot,
    "torus knot": _torus_knot,
    "tower": architecture.tower,
    "tree": plants.tree,
    "urn": handled_vessels.urn,
    "vase": vessels.vase,
    "wall": architecture.wall,
    "well": architecture.well,
}


@lru_cache(maxsize=48)
def build_shape(name: str, seed: int) -> tuple[Part, ...]:
    """Return the parts of a shape by name; the same name and seed give the same parts.

    Raises:
        KeyError: there is no such shape.
    """
    return tuple(SHAPES[name](np.random.default_rng(seed)))
