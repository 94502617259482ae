"""What every composer starts from and ends with."""

from dataclasses import dataclass, replace

import numpy as np

from lumenmill_studio.scenes.layout import Item
from lumenmill_studio.scenes.shapes.mesh import Array
from lumenmill_studio.scenes.spec import ObjectSpec, ReferenceCamera
from lumenmill_studio.scenes.vocabulary import Wanted

Rng = np.random.Generator


@dataclass(frozen=True)
class Composition:
    """Placed things with the origin at the subject, its bounding radius, and the camera that frames it."""

    objects: tuple[ObjectSpec, ...]
    camera: ReferenceCamera
    subject_radius: float


def wanted_items(wanted: Wanted, rng: Rng, yaw: float = 60.0) -> list[Item]:
    """What was asked for, each thing turned by up to ``yaw`` degrees either way."""
    return [
        Item(name, material, int(rng.integers(1 << 30)), float(rng.uniform(-yaw, yaw)))
        for name, material in wanted.items
    ]


def finished(
    subjects: list[ObjectSpec], pieces: list[ObjectSpec], lower: Array, upper: Array, camera: ReferenceCamera
) -> Composition:
    """The composition with its origin at the centre of the subjects\' bounds; things are numbered from 1."""
    center = (lower + upper) / 2
    objects = []
    for index, item in enumerate([*subjects, *pieces], start=1):
        x, y, z = (round(float(a - b), 6) for a, b in zip(item.position, center, strict=True))
        objects.append(replace(item, position=(x, y, z), instance=index))
    return Composition(tuple(objects), camera, round(float(np.linalg.norm(upper - lower)) / 2, 5))
