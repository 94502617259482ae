"""Build potted plants, twigs, trees and grass. They stand on y = 0, in metres."""

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Array, Mesh, Part, grid_mesh, merged, moved, rotated
from lumenmill_studio.scenes.shapes.turned import smooth_curve, tube, turned, vessel

__all__ = ["branch", "cypress", "grass", "leaf", "potted_plant", "tree"]

Rng = np.random.Generator


def leaf(length: float, width: float, droop: float, fold: float = 0.25) -> Mesh:
    """Build a leaf from the origin along +z, drooping; a sheet to be seen from both sides."""
    t, side = np.linspace(0, 1, 18)[:, None], np.linspace(-1, 1, 9)[None, :]
    half = width / 2 * np.sin(np.pi * np.clip(t, 0.02, 1) ** 0.75) ** 0.9
    angle = -droop * t
    z = length * (np.sin(angle) / np.where(np.abs(angle) < 1e-6, 1, angle) * t + 0 * side)
    y = (
        length * ((np.cos(angle) - 1) / max(droop, 1e-6) + 0 * side)
        + fold * half * np.abs(side)
        + 0.03 * width * np.sin(9 * t) * side
    )
    x = half * side
    return grid_mesh(
        np.stack(np.broadcast_arrays(x, y, z), -1), np.stack(np.broadcast_arrays(side * half, t * length), -1)
    )


def _posed(mesh: Mesh, pitch_deg: float, yaw_deg: float, offset: Array) -> Mesh:
    return moved(rotated(rotated(mesh, "x", -pitch_deg), "y", yaw_deg), offset)


def _foliage(rng: Rng, num_leaves: int, base_y: float, length: float, width: float) -> list[Part]:
    leaves, stems = [], []
    for index in range(num_leaves):
        yaw = 137.5 * index + float(rng.uniform(-15, 15))
        rise = float(rng.uniform(0.35, 1.0))
        reach = length * float(rng.uniform(0.25, 0.8)) * (1.3 - rise * 0.7)
        top = np.array(
            [np.sin(np.radians(yaw)) * reach, base_y + rise * length * 1.35, np.cos(np.radians(yaw)) * reach]
        )
        middle = (
            (top + np.array([0, base_y, 0])) / 2
            + np.array([0, 0.12 * length, 0])
            - 0.25 * np.array([top[0], 0, top[2]])
        )
        stems.append(tube([(0, base_y - 0.01, 0), tuple(middle), tuple(top)], [0.0028, 0.002, 0.0014], 8, 16))
        size = float(rng.uniform(0.7, 1.1))
        leaves.append(
            _posed(leaf(length * size, width * size, float(rng.uniform(0.5, 1.2))), float(rng.uniform(0, 45)), yaw, top)
        )
    return [Part(merged(leaves), "leaf"), Part(merged(stems), "stem")]


def potted_plant(rng: Rng) -> list[Part]:
    """Build a leafy plant in a pot; the pot takes the material."""
    reach, tall = 0.075, float(rng.uniform(0.12, 0.14))
    pot = vessel(
        (
            (reach * 0.7, 0),
            (reach * 0.85, tall * 0.5),
            (reach * 0.98, tall * 0.8),
            (reach * 1.1, tall * 0.81),
            (reach * 1.12, tall),
        ),
        0.007,
    )
    soil = moved(turned([((reach * 1.02, 0), (reach * 0.5, 0.006), (0, 0.009))]), (0, tall * 0.86, 0))
    slender = rng.random() < 0.4
    foliage = (
        _foliage(rng, int(rng.integers(22, 32)), tall * 0.86, 0.17, 0.035)
        if slender
        else _foliage(rng, int(rng.integers(16, 24)), tall * 0.86, 0.13, 0.085)
    )
    return [Part(pot), Part(soil, "soil"), *foliage]


def branch(rng: Rng) -> list[Part]:
    """Build a bare twig with a few leaves, lying."""
    path = np.array(
        [[-0.16, 0.012, 0.02], [-0.06, 0.02, -0.01], [0.03, 0.016, 0.012], [0.12, 0.035, -0.01], [0.19, 0.05, 0.015]]
    )
    wood = [tube(path, [0.0058, 0.005, 0.0042, 0.003, 0.0015], 14, 60)]
    leaves = []
    for index in range(11):
        at = smooth_curve(path, 30)[4 + index * 2]
        yaw = float(rng.uniform(-40, 40)) + (90 if index % 2 else -90) + 60
        leaves.append(_posed(leaf(float(rng.uniform(0.045, 0.07)), 0.024, 0.5), float(rng.uniform(5, 40)), yaw, at))
    return [Part(merged(wood), "bark"), Part(merged(leaves), "leaf")]


def _twigs(
    rng: Rng,
    start: Array,
    direction: Array,
    length: float,
    radius: float,
    depth: int,
    wood: list[Mesh],
    tips: list[Array],
) -> None:
    side = rng.normal(size=3) * 0.18
    middle = start + direction * length * 0.5 + side * length * 0.35
    end = start + direction * length + side * length * 0.3
    wood.append(
        tube(
            [tuple(start), tuple(middle), tuple(end)],
            [radius, radius * 0.82, radius * 0.66],
            max(6, 14 - 3 * (4 - depth)),
            9,
        )
    )
    if depth <= 2:
        tips.extend([middle, end])
    if depth == 0:
        return
    for index in range(int(rng.integers(3, 5))):
        yaw = 2 * np.pi * (index / 3.4 + rng.random() * 0.2)
        spread = float(rng.uniform(0.45, 0.85))
        across = np.cross(direction, [np.cos(yaw), 0.3, np.sin(yaw)])
        heading = direction + spread * across / max(float(np.linalg.norm(across)), 1e-6) + np.array([0, 0.12, 0])
        _twigs(
            rng,
            end,
            heading / np.linalg.norm(heading),
            length * float(rng.uniform(0.62, 0.8)),
            radius * 0.6,
            depth - 1,
            wood,
            tips,
        )


def _leaf_cloud(rng: Rng, centers: Array, num_each: int, spread: float, size: float) -> Mesh:
    num = len(centers) * num_each
    points = np.repeat(centers, num_each, axis=0) + rng.normal(size=(num, 3)) * spread
    first = rng.normal(size=(num, 3))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(first, rng.normal(size=(num, 3)))
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    scale = size * rng.uniform(0.7, 1.3, (num, 1))
    first, second = first * scale, second * scale * 0.55
    corners = np.stack([points - first, points + second, points + first, points - second], 1).reshape(-1, 3)
    quad = np.arange(num)[:, None] * 4
    faces = np.concatenate([quad + np.array([[0, 1, 2]]), quad + np.array([[0, 2, 3]])]).astype(np.uint32)
    return Mesh(corners, faces, corners[:, :2], None)


def tree(rng: Rng) -> list[Part]:
    """Build a broad-leaved tree."""
    wood: list[Mesh] = []
    tips: list[Array] = []
    height = float(rng.uniform(1.1, 1.5))
    _twigs(rng, np.array([0.0, -0.05, 0.0]), np.array([0.0, 1.0, 0.0]), height, 0.13, 3, wood, tips)
    crown = _leaf_cloud(rng, np.array(tips), 70, 0.22, 0.07)
    return [Part(merged(wood), "bark"), Part(crown, "leaf")]


def cypress(rng: Rng) -> list[Part]:
    """Build a slender cypress."""
    tall, num = float(rng.uniform(3.4, 4.4)), 650
    y = rng.uniform(0.03, 1, num) ** 0.9
    reach = 0.42 * np.sin(np.pi * np.clip(y * 0.93 + 0.07, 0, 1) ** 0.6) * np.sqrt(rng.uniform(0.45, 1, num))
    angle = rng.uniform(0, 2 * np.pi, num)
    centers = np.stack([reach * np.cos(angle), 0.25 + y * tall, reach * np.sin(angle)], 1)
    trunk = tube([(0, -0.05, 0), (0.01, tall * 0.5, 0), (0, tall * 0.9, 0)], [0.08, 0.05, 0.01], 12, 20)
    return [Part(trunk, "bark"), Part(_leaf_cloud(rng, centers, 14, 0.07, 0.066), "cypress leaf")]


def grass(rng: Rng, inner: float, outer: float, num_blades: int, tall: float) -> Mesh:
    """Build blades of grass scattered on a ring of the ground plane, denser towards its inside."""
    radius = inner + (outer - inner) * rng.random(num_blades) ** 1.4
    angle = rng.uniform(0, 2 * np.pi, num_blades)
    root = np.stack([radius * np.sin(angle), np.zeros(num_blades), radius * np.cos(angle)], 1)
    lean = rng.normal(size=(num_blades, 3)) * 0.3
    lean[:, 1] = 1
    top = root + lean * (tall * rng.uniform(0.4, 1.2, (num_blades, 1)))
    turn = rng.uniform(0, np.pi, num_blades)
    across = (
        np.stack([np.cos(turn), np.zeros(num_blades), np.sin(turn)], 1) * tall * 0.045 * (1 + radius[:, None] * 0.12)
    )
    corners = np.stack([root - across, root + across, top], 1).reshape(-1, 3)
    return Mesh(corners, np.arange(num_blades * 3, dtype=np.uint32).reshape(-1, 3), corners[:, [0, 2]], None)
