"""Place objects: sizes, footprints, arrangements, and the camera that frames them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from lumenmill_studio.scenes.shapes import build_shape
from lumenmill_studio.scenes.shapes.mesh import Array, rotation
from lumenmill_studio.scenes.spec import ObjectSpec, ReferenceCamera

__all__ = ["Item", "arranged", "framing", "group_bounds", "scaled_to_height", "set_piece"]

Rng = np.random.Generator


@dataclass(frozen=True)
class Item:
    """One object to be placed, standing on the ground."""

    name: str
    material: str
    seed: int
    yaw_deg: float = 0.0
    scale: float = 1.0

    def bounds(self) -> tuple[Array, Array]:
        """Return the lower and upper corner (3,) of the rotated and scaled object."""
        return _bounds(self.name, self.seed, self.yaw_deg, self.scale)

    def placed(self, position: Sequence[float] | Array, instance: int, role: str = "subject") -> ObjectSpec:
        """Return the object at a position."""
        x, y, z = (round(float(value), 6) for value in position)
        return ObjectSpec(
            self.name,
            self.name,
            self.material,
            self.seed,
            instance,
            (x, y, z),
            round(self.yaw_deg, 3),
            round(self.scale, 5),
            role,
        )


@lru_cache(maxsize=256)
def _bounds(name: str, seed: int, yaw_deg: float, scale: float) -> tuple[Array, Array]:
    points = (
        np.concatenate([part.mesh.vertices_v3 for part in build_shape(name, seed)]) @ rotation("y", yaw_deg).T * scale
    )
    return points.min(axis=0), points.max(axis=0)


def set_piece(
    name: str,
    shape: str,
    material: str,
    seed: int,
    params: dict[str, float],
    position: Sequence[float] = (0, 0, 0),
    role: str = "ground",
    yaw_deg: float = 0.0,
) -> ObjectSpec:
    """Return a piece of the set; its instance number is assigned when the scene is finished."""
    x, y, z = (float(value) for value in position)
    rounded = {key: round(float(value), 5) for key, value in params.items()}
    return ObjectSpec(name, f"set:{shape}", material, seed, 0, (x, y, z), yaw_deg, 1.0, role, rounded)


def scaled_to_height(item: Item, height: float) -> Item:
    """Return the item scaled to a height in metres."""
    lower, upper = item.bounds()
    return replace(item, scale=item.scale * height / float(upper[1] - lower[1]))


def arranged(items: Sequence[Item], rng: Rng, spread: float = 1.0) -> list[tuple[Item, Array]]:
    """Return a close group without overlaps: the tallest item behind and off centre, lower ones before it."""
    order = sorted(items, key=lambda item: -float(item.bounds()[1][1]))
    sizes = [item.bounds() for item in order]
    placed: list[tuple[Item, Array]] = []
    side = 1.0 if rng.random() < 0.5 else -1.0
    tallest = float(sizes[0][1][1])
    for index, (item, (lower, upper)) in enumerate(zip(order, sizes, strict=True)):
        reach = float(max(upper[0] - lower[0], upper[2] - lower[2])) / 2
        if index == 0:
            placed.append((item, np.array([0.12 * side * reach, 0.0, 0.0])))
            continue
        lowness = 1 - float(upper[1]) / tallest
        target = np.array(
            [
                -side * (0.35 + 0.25 * (index % 3)) * reach * 2 * (1 if index % 2 else -0.8),
                0,
                0.35 * lowness * tallest + 0.2 * reach,
            ]
        )
        placed.append((item, _free_position(item, reach, target, placed, rng, spread)))
    return placed


def _free_position(
    item: Item, reach: float, target: Array, placed: Sequence[tuple[Item, Array]], rng: Rng, spread: float
) -> Array:
    best, best_cost = target, np.inf
    for attempt in range(240):
        radius = reach * 0.12 * np.sqrt(attempt) * 1.6
        angle = rng.uniform(0, 2 * np.pi)
        at = target + np.array([np.cos(angle) * radius * 1.3 * spread, 0, np.sin(angle) * radius * 0.8])
        overlap = sum(
            max(0.0, _reach(other) + reach * 1.04 + 0.004 - float(np.hypot(*(at - where)[[0, 2]])))
            for other, where in placed
        )
        cost = overlap * 60 + float(np.hypot(*(at - target)[[0, 2]])) + max(0.0, -float(at[2])) * 0.6
        if cost < best_cost:
            best, best_cost = at, cost
    return best


def _reach(item: Item) -> float:
    lower, upper = item.bounds()
    return float(max(upper[0] - lower[0], upper[2] - lower[2])) / 2


def group_bounds(placed: Sequence[tuple[Item, Array]]) -> tuple[Array, Array]:
    """Return the lower and upper corner (3,) of a group."""
    corners = [(item.bounds()[0] + at, item.bounds()[1] + at) for item, at in placed]
    return np.min([low for low, _ in corners], axis=0), np.max([high for _, high in corners], axis=0)


def framing(
    lower: Array, upper: Array, focal_length_mm: float, elevation_deg: float, fill: float = 0.62, aim_share: float = 0.0
) -> ReferenceCamera:
    """Return a camera for which the box fills the fraction ``fill`` of the frame (3:2 or taller).

    ``aim_share`` raises the aim by that fraction of the box's height.
    """
    half = (upper - lower) / 2
    tan_half = 18 / focal_length_mm
    elevation = np.radians(elevation_deg)
    seen_height = half[1] * np.cos(elevation) + half[2] * np.sin(elevation)
    distance = max(half[0] / (fill * tan_half), seen_height / (fill * tan_half * 0.72)) + half[2] * np.cos(elevation)
    return ReferenceCamera(
        round(elevation_deg, 3),
        round(float(distance), 5),
        round(focal_length_mm, 2),
        round(float(half[1] * 2 * aim_share), 5),
    )
