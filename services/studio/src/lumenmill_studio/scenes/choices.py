"""Choose what a description leaves open: materials that suit a thing, and things that suit a kind of scene."""

from collections.abc import Iterable

import numpy as np

from lumenmill_studio.scenes.materials import NATURAL
from lumenmill_studio.scenes.vocabulary import (
    BUILDING_MATERIALS,
    BUILDINGS,
    FURNITURE,
    FURNITURE_MATERIALS,
    GLASS_MATERIALS,
    GLASS_SHAPES,
    PORTRAIT,
    ROOM,
    SCULPTURE_MATERIALS,
    SCULPTURES,
    SOFT_MATERIALS,
    STILL_LIFE,
    TURNED_MATERIALS,
)

__all__ = ["Rng", "choice", "chosen_material", "chosen_things"]

Rng = np.random.Generator


def chosen_material(subject: str, kind: str, rng: Rng) -> str:
    """Return a material for a subject: the one that it has in nature, else one that suits it."""
    return NATURAL.get(subject) or choice(rng, _suitable(subject, kind, rng))


def _suitable(subject: str, kind: str, rng: Rng) -> tuple[str, ...]:
    if subject == "armchair":
        return SOFT_MATERIALS
    if subject in FURNITURE:
        return FURNITURE_MATERIALS
    if subject in BUILDINGS and kind != STILL_LIFE:
        return BUILDING_MATERIALS
    if subject in SCULPTURES or kind == PORTRAIT:
        return SCULPTURE_MATERIALS
    return GLASS_MATERIALS if subject in GLASS_SHAPES and rng.random() < 0.07 else TURNED_MATERIALS


def chosen_things(kind: str, rng: Rng) -> list[tuple[str, str]]:
    """Return subjects that suit a kind of scene, each with a material."""

    def one(names: Iterable[str]) -> str:
        return choice(rng, tuple(names))

    if kind == STILL_LIFE:
        fruit = one(("lemon", "apple", "pear", "orange", "plum", "pomegranate"))
        names = [
            one(("vase", "jug", "kettle", "teapot", "bottle", "amphora", "potted plant", "candlestick")),
            one(("bowl", "cup", "mug", "goblet", "mortar", "jar", "stack of books", "seashell")),
            *[fruit] * int(rng.integers(1, 4)),
        ]
    elif kind == ROOM:
        names = [
            one(("armchair", "table", "chair", "staircase", "plinth")),
            one(("potted plant", "floor lamp", "stool", "bookshelf")),
            one(("rug", "painting")),
        ]
    elif kind == PORTRAIT:
        names = [one(("bust", "head", "statue", "abstract sculpture", "torus knot", "urn"))]
    else:
        names = [
            one(("arch", "statue", "fountain", "pavilion", "cottage", "tower", "colonnade", "well")),
            one(("tree", "cypress", "rock")),
        ]
    return [(name, chosen_material(name, kind, rng)) for name in names]


def choice(rng: Rng, names: Iterable[str]) -> str:
    """Return one of the names."""
    options = tuple(names)
    return options[int(rng.integers(len(options)))]
