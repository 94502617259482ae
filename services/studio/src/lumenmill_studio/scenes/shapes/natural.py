"""Fruit, plants, trees and stones."""

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Array, Mesh, Part, grid_mesh, merged, moved, rotated, scaled
from lumenmill_studio.scenes.shapes.noise import fractal_noise
from lumenmill_studio.scenes.shapes.solids import box, displaced, superellipsoid
from lumenmill_studio.scenes.shapes.turned import Profile, revolved, smooth_curve, tube, turned, vessel

Rng = np.random.Generator


def _fruit(rng: Rng, profile: Profile, lumps: float = 0.012, num_samples: int = 90) -> Mesh:
    mesh = revolved(smooth_curve(profile, num_samples))
    size = float(np.ptp(mesh.vertices_v3[:, 1]))
    offsets = fractal_noise(mesh.vertices_v3 / size * 2.2, int(rng.integers(1 << 30)), 3) * lumps * size
    return displaced(mesh, offsets)


def _stem(height: float, rng: Rng, length: float = 0.02, radius: float = 0.0014) -> Part:
    lean = rng.uniform(-0.008, 0.008, 2)
    return Part(
        tube(
            [
                (0, height - 0.006, 0),
                (lean[0] * 0.3, height + length * 0.5, lean[1] * 0.3),
                (lean[0], height + length, lean[1]),
            ],
            [radius, radius * 0.8, radius * 1.5],
            10,
            14,
        ),
        "bark",
    )


def _tilted(rng: Rng, parts: list[Part], angle_deg: float) -> list[Part]:
    turn = float(rng.uniform(0, 360))
    leaned = [Part(rotated(rotated(part.mesh, "z", angle_deg), "y", turn), part.material) for part in parts]
    low = min(float(part.mesh.lower[1]) for part in leaned)
    return [Part(moved(part.mesh, (0, -low, 0)), part.material) for part in leaned]


def apple(rng: Rng) -> list[Part]:
    """An apple with its stem."""
    r = float(rng.uniform(0.036, 0.042))
    body = _fruit(
        rng,
        (
            (0.002, 0.12 * r),
            (0.3 * r, 0),
            (0.72 * r, 0.25 * r),
            (r, 0.95 * r),
            (0.86 * r, 1.5 * r),
            (0.42 * r, 1.72 * r),
            (0.12 * r, 1.58 * r),
            (0, 1.45 * r),
        ),
        0.014,
    )
    return _tilted(rng, [Part(body), _stem(1.5 * r, rng, 0.014)], float(rng.uniform(0, 14)))


def pear(rng: Rng) -> list[Part]:
    """A pear, standing or lying."""
    r = float(rng.uniform(0.034, 0.04))
    body = _fruit(
        rng,
        (
            (0.002, 0.08 * r),
            (0.32 * r, 0),
            (0.85 * r, 0.45 * r),
            (r, 1.0 * r),
            (0.75 * r, 1.75 * r),
            (0.45 * r, 2.35 * r),
            (0.32 * r, 2.75 * r),
            (0, 2.92 * r),
        ),
        0.012,
    )
    lying = rng.random() < 0.25
    return _tilted(rng, [Part(body), _stem(2.9 * r, rng, 0.02)], 74.0 if lying else float(rng.uniform(0, 8)))


def lemon(rng: Rng) -> list[Part]:
    """A lemon on its side."""
    r = float(rng.uniform(0.027, 0.031))
    body = _fruit(
        rng,
        (
            (0, -1.62 * r),
            (0.16 * r, -1.5 * r),
            (0.42 * r, -1.2 * r),
            (0.88 * r, -0.6 * r),
            (r, 0),
            (0.87 * r, 0.62 * r),
            (0.4 * r, 1.18 * r),
            (0.15 * r, 1.36 * r),
            (0, 1.4 * r),
        ),
        0.012,
    )
    pores = fractal_noise(body.vertices_v3 * 420, int(rng.integers(1 << 30)), 1) * 0.0004
    return _tilted(rng, [Part(displaced(body, pores))], float(rng.uniform(78, 96)))


def orange(rng: Rng) -> list[Part]:
    """An orange."""
    r = float(rng.uniform(0.035, 0.04))
    turn = np.linspace(-np.pi / 2, np.pi / 2, 33)
    body = _fruit(rng, [(r * float(np.cos(a)), 0.95 * r * float(np.sin(a) + 1)) for a in turn], 0.008, 140)
    pores = fractal_noise(body.vertices_v3 * 380, int(rng.integers(1 << 30)), 1) * 0.0005
    return _tilted(rng, [Part(displaced(body, pores))], float(rng.uniform(0, 60)))


def plum(rng: Rng) -> list[Part]:
    """A plum."""
    r = float(rng.uniform(0.021, 0.025))
    turn = np.linspace(-np.pi / 2, np.pi / 2, 25)
    body = _fruit(rng, [(r * float(np.cos(a)), 1.18 * r * float(np.sin(a) + 1)) for a in turn], 0.006)
    return _tilted(rng, [Part(body)], float(rng.uniform(40, 90)))


def pomegranate(rng: Rng) -> list[Part]:
    """A pomegranate with its crown."""
    r = float(rng.uniform(0.04, 0.046))
    body = _fruit(
        rng,
        ((0, 0), (0.55 * r, 0.12 * r), (r, 0.85 * r), (0.82 * r, 1.45 * r), (0.3 * r, 1.72 * r), (0.2 * r, 1.8 * r)),
        0.022,
    )
    teeth = [
        rotated(
            moved(rotated(scaled(box((0.012, 0.026, 0.003), 0.0012), 1.0), "x", 16), (0, 1.98 * r, 0.19 * r)),
            "y",
            60 * i,
        )
        for i in range(6)
    ]
    return _tilted(rng, [Part(merged([body, *teeth]))], float(rng.uniform(0, 35)))


def pumpkin(rng: Rng) -> list[Part]:
    """A ribbed pumpkin."""
    r, num_ribs = float(rng.uniform(0.085, 0.11)), int(rng.integers(9, 13))
    mesh = superellipsoid((2 * r, 1.42 * r, 2 * r), 1.0, 90, 240)
    angle = np.arctan2(mesh.vertices_v3[:, 0], mesh.vertices_v3[:, 2])
    radial = np.hypot(mesh.vertices_v3[:, 0], mesh.vertices_v3[:, 2]) / r
    dent = -0.085 * r * np.abs(np.cos(angle * num_ribs / 2)) ** 6 * np.sqrt(radial)
    pole = -0.3 * r * np.exp(-((radial / 0.3) ** 2))
    noise = fractal_noise(mesh.vertices_v3 * 18, int(rng.integers(1 << 30)), 3) * 0.004
    body = displaced(mesh, dent + pole + noise)
    body = moved(body, (0, -float(body.lower[1]), 0))
    stem = tube([(0, 1.0 * r, 0), (0.004, 1.36 * r, 0.002), (0.026, 1.6 * r, 0.012)], [0.015, 0.0085, 0.012], 9, 20)
    return [Part(body), Part(stem, "stem")]


def stone(rng: Rng, size: tuple[float, float, float], roughness: float = 0.1) -> Mesh:
    """A weathered stone of about ``size`` (x, y, z) metres, standing on y = 0."""
    mesh = superellipsoid(size, float(rng.uniform(0.72, 0.95)), 80, 130)
    extent = max(size)
    seed = int(rng.integers(1 << 30))
    unit = mesh.vertices_v3 / extent
    offsets = fractal_noise(unit * 1.7, seed, 2) * roughness + fractal_noise(unit * 7, seed + 9, 4) * roughness * 0.16
    shaped = displaced(mesh, offsets * extent)
    return moved(shaped, (0, -float(shaped.lower[1]), 0))


def pebble(rng: Rng) -> list[Part]:
    """A smooth pebble."""
    return [Part(stone(rng, (0.075, 0.038, 0.055), 0.06))]


def stacked_stones(rng: Rng) -> list[Part]:
    """A cairn of flat stones, each smaller than the one below."""
    parts, height, reach = [], 0.0, float(rng.uniform(0.085, 0.1))
    for _ in range(int(rng.integers(5, 7))):
        thick = reach * float(rng.uniform(0.42, 0.62))
        piece = rotated(stone(rng, (2 * reach, thick, 1.65 * reach), 0.06), "y", float(rng.uniform(0, 360)))
        parts.append(
            Part(
                moved(
                    piece,
                    (float(rng.uniform(-0.1, 0.1)) * reach, height - 0.006, float(rng.uniform(-0.1, 0.1)) * reach),
                )
            )
        )
        height += float(np.ptp(piece.vertices_v3[:, 1])) * 0.9
        reach *= float(rng.uniform(0.72, 0.86))
    return parts


def rock(rng: Rng) -> list[Part]:
    """A craggy rock."""
    return [Part(stone(rng, (1.5, 1.0, 1.15), 0.24))]


def boulder(rng: Rng) -> list[Part]:
    """A rounded boulder."""
    return [Part(stone(rng, (1.3, 1.15, 1.2), 0.13))]


def leaf(length: float, width: float, droop: float, fold: float = 0.25) -> Mesh:
    """A leaf from the origin along +z, drooping; a sheet to be seen from both sides."""
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
    """A leafy plant in a pot; the pot takes the material."""
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
    """A bare twig with a few leaves, lying."""
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
    """A broad-leaved tree."""
    wood: list[Mesh] = []
    tips: list[Array] = []
    height = float(rng.uniform(1.1, 1.5))
    _twigs(rng, np.array([0.0, -0.05, 0.0]), np.array([0.0, 1.0, 0.0]), height, 0.13, 3, wood, tips)
    crown = _leaf_cloud(rng, np.array(tips), 70, 0.22, 0.07)
    return [Part(merged(wood), "bark"), Part(crown, "leaf")]


def cypress(rng: Rng) -> list[Part]:
    """A slender cypress."""
    tall, num = float(rng.uniform(3.4, 4.4)), 650
    y = rng.uniform(0.03, 1, num) ** 0.9
    reach = 0.42 * np.sin(np.pi * np.clip(y * 0.93 + 0.07, 0, 1) ** 0.6) * np.sqrt(rng.uniform(0.45, 1, num))
    angle = rng.uniform(0, 2 * np.pi, num)
    centers = np.stack([reach * np.cos(angle), 0.25 + y * tall, reach * np.sin(angle)], 1)
    trunk = tube([(0, -0.05, 0), (0.01, tall * 0.5, 0), (0, tall * 0.9, 0)], [0.08, 0.05, 0.01], 12, 20)
    return [Part(trunk, "bark"), Part(_leaf_cloud(rng, centers, 14, 0.07, 0.066), "cypress leaf")]


def grass(rng: Rng, inner: float, outer: float, num_blades: int, tall: float) -> Mesh:
    """Blades of grass scattered on a ring of the ground plane, denser towards its inside."""
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
