"""Define the steps that every composer begins and ends with."""

from dataclasses import dataclass, replace

import numpy as np

from lumenmill_studio.scenes.description import SceneRequest
from lumenmill_studio.scenes.layout import Item
from lumenmill_studio.scenes.shapes.mesh import Array
from lumenmill_studio.scenes.spec import ObjectSpec, ReferenceCamera

__all__ = ["Composition", "Rng", "finished", "requested_items"]

Rng = np.random.Generator


@dataclass(frozen=True)
class Composition:
    """Placed objects with the origin at the subject, the radius of the subject, and the camera that frames it."""

    objects: tuple[ObjectSpec, ...]
    camera: ReferenceCamera
    subject_radius: float


def requested_items(request: SceneRequest, rng: Rng, yaw: float = 60.0) -> list[Item]:
    """Return the requested objects, each rotated at random by up to ``yaw`` degrees in either direction."""
    return [
        Item(name, material, int(rng.integers(1 << 30)), float(rng.uniform(-yaw, yaw)))
        for name, material in request.items
    ]


def finished(
    subjects: list[ObjectSpec], pieces: list[ObjectSpec], lower: Array, upper: Array, camera: ReferenceCamera
) -> Composition:
    """Return the composition with its origin at the centre of the subjects' bounds; objects are numbered from 1."""
    center = (lower + upper) / 2
    objects = []
    for index, item in enumerate([*subjects, *pieces], start=1):
        x, y, z = (round(float(a - b), 6) for a, b in zip(item.position, center, strict=True))
        objects.append(replace(item, position=(x, y, z), instance=index))
    return Composition(tuple(objects), camera, round(float(np.linalg.norm(upper - lower)) / 2, 5))
