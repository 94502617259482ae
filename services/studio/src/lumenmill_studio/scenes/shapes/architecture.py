"""Build buildings and their parts. They stand on y = 0, in metres."""

import itertools

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Mesh, Part, grid_mesh, merged, moved, rotated
from lumenmill_studio.scenes.shapes.noise import fractal_noise
from lumenmill_studio.scenes.shapes.solids import box, displaced, pyramid, standing_box, superellipsoid
from lumenmill_studio.scenes.shapes.turned import turned, vessel

__all__ = [
    "Rng",
    "arch",
    "colonnade",
    "column",
    "column_mesh",
    "cottage",
    "fountain",
    "obelisk",
    "pavilion",
    "staircase",
    "tower",
    "wall",
    "well",
]

Rng = np.random.Generator


def obelisk(rng: Rng) -> list[Part]:
    """Build an obelisk on a stepped base."""
    tall = float(rng.uniform(0.3, 0.36))
    shaft = moved(pyramid(0.032, 0.021, tall, 0.04), (0, 0.045, 0))
    return [
        Part(
            merged(
                [
                    standing_box((0.11, 0.022, 0.11), bevel=0.002),
                    standing_box((0.085, 0.024, 0.085), (0, 0.022, 0), 0.002),
                    shaft,
                ]
            )
        )
    ]


def staircase(rng: Rng) -> list[Part]:
    """Build a straight flight of solid steps that rises towards −z."""
    num, wide = int(rng.integers(5, 8)), float(rng.uniform(1.3, 1.9))
    return [Part(merged([standing_box((wide, 0.17 * (i + 1), 0.3), (0, 0, -0.29 * i), 0.012) for i in range(num)]))]


def _arch_block(wide: float, spring: float, ring: float, deep: float) -> Mesh:
    """Build a wall piece with a round-headed opening."""
    angle = np.linspace(0, np.pi, 49)
    inner = np.stack([wide / 2 * np.cos(angle), spring + wide / 2 * np.sin(angle)], 1)
    outer = np.stack([(wide / 2 + ring) * np.cos(angle), spring + (wide / 2 + ring) * np.sin(angle)], 1)
    loops = [(inner, 0.5), (outer, 0.5), (outer, -0.5), (inner, -0.5), (inner, 0.5)]
    sheets = []
    for (a, za), (b, zb) in itertools.pairwise(loops):
        points = np.stack([np.concatenate([r, np.full((len(r), 1), s * deep)], 1) for r, s in ((b, zb), (a, za))])
        sheet = grid_mesh(points, np.stack([points[..., 0], points[..., 1] + points[..., 2]], -1))
        sheets.append(Mesh(sheet.vertices_v3, sheet.faces_f3, sheet.uv_v2))
    piers = [standing_box((ring, spring, deep), (sx * (wide / 2 + ring / 2), 0, 0), 0.012) for sx in (-1, 1)]
    imposts = [
        standing_box((ring * 1.18, 0.09, deep * 1.12), (sx * (wide / 2 + ring / 2), spring - 0.045, 0), 0.014)
        for sx in (-1, 1)
    ]
    bases = [
        standing_box((ring * 1.22, 0.16, deep * 1.16), (sx * (wide / 2 + ring / 2), 0, 0), 0.016) for sx in (-1, 1)
    ]
    return merged([*sheets, *piers, *imposts, *bases])


def arch(rng: Rng) -> list[Part]:
    """Build a free-standing round arch with imposts."""
    wide = float(rng.uniform(1.2, 1.6))
    return [
        Part(
            _arch_block(
                wide, float(rng.uniform(1.4, 1.9)), float(rng.uniform(0.34, 0.44)), float(rng.uniform(0.42, 0.6))
            )
        )
    ]


def column_mesh(tall: float, radius: float, num_flutes: int = 20) -> Mesh:
    """Build a fluted column with base and capital."""
    t = np.linspace(0, 1, 24)[:, None]
    angle = np.linspace(0, 2 * np.pi, num_flutes * 10 + 1)[None, :]
    taper = radius * (1 - 0.16 * t**1.6)
    reach = taper * (1 - 0.07 * np.abs(np.cos(angle * num_flutes / 2)) ** 1.5)
    low, high = 0.17 * radius / 0.2 + 0.12, tall - 0.3 * radius / 0.2
    points = np.stack(np.broadcast_arrays(reach * np.sin(angle), low + (high - low) * t, reach * np.cos(angle)), -1)
    shaft = grid_mesh(points, np.stack(np.broadcast_arrays(angle * radius, t * tall), -1))
    k = radius / 0.2
    foot = turned(
        [
            (
                (0.3 * k, 0.12),
                (0.31 * k, 0.17),
                (0.27 * k, 0.2),
                (0.235 * k, 0.22),
                (0.25 * k, 0.26),
                (0.21 * k, low + 0.01),
            )
        ]
    )
    head = turned(
        [
            (
                (0.17 * k, high - 0.02),
                (0.19 * k, high + 0.02),
                (0.18 * k, high + 0.05),
                (0.24 * k, tall - 0.14 * k),
                (0.27 * k, tall - 0.1 * k),
            )
        ]
    )
    return merged(
        [
            standing_box((0.62 * k, 0.12, 0.62 * k), bevel=0.012),
            foot,
            shaft,
            head,
            standing_box((0.6 * k, 0.11 * k, 0.6 * k), (0, tall - 0.11 * k, 0), 0.01),
        ]
    )


def column(rng: Rng) -> list[Part]:
    """One fluted column."""
    return [Part(column_mesh(float(rng.uniform(2.0, 2.7)), float(rng.uniform(0.17, 0.21))))]


def colonnade(rng: Rng) -> list[Part]:
    """Build a row of columns under an entablature, on two steps."""
    num, gap, tall = int(rng.integers(4, 6)), float(rng.uniform(0.95, 1.15)), float(rng.uniform(2.2, 2.6))
    wide = gap * (num - 1)
    columns = [moved(column_mesh(tall, 0.17), (gap * i - wide / 2, 0.24, 0)) for i in range(num)]
    beam = [
        standing_box((wide + 0.75, 0.3, 0.5), (0, tall + 0.24, 0), 0.015),
        standing_box((wide + 0.95, 0.14, 0.7), (0, tall + 0.54, 0), 0.02),
    ]
    steps = [
        standing_box((wide + 1.4, 0.12, 1.4), bevel=0.015),
        standing_box((wide + 1.1, 0.12, 1.1), (0, 0.12, 0), 0.015),
    ]
    return [Part(merged([*columns, *beam, *steps]))]


def fountain(rng: Rng) -> list[Part]:
    """Build a two-tiered round fountain with still water."""
    basin = vessel(((0.95, 0), (1.0, 0.06), (0.97, 0.12), (1.0, 0.34), (1.06, 0.42)), 0.09, 0.06)
    stem = turned([((0.24, 0.05), (0.24, 0.1), (0.13, 0.2), (0.11, 0.5), (0.16, 0.62), (0.1, 0.7), (0.1, 0.86))], 120)
    upper = moved(vessel(((0.1, 0), (0.2, 0.05), (0.42, 0.12), (0.5, 0.18)), 0.03, 0.03), (0, 0.84, 0))
    finial = moved(
        turned([((0.08, 0), (0.1, 0.06), (0.05, 0.12), (0.1, 0.22), (0.06, 0.3), (0, 0.36))], 200), (0, 0.88, 0)
    )
    pools = [
        moved(turned([((r, 0.0), (r * 0.5, 0.0), (0, 0.0))], 60), (0, y, 0)) for r, y in ((0.95, 0.33), (0.44, 0.985))
    ]
    return [Part(merged([basin, stem, upper, finial])), Part(merged(pools), "water")]


def wall(rng: Rng) -> list[Part]:
    """Build a weathered free-standing wall of coursed blocks, broken at the top."""
    meshes, wide = [], float(rng.uniform(2.6, 3.4))
    for row in range(7):
        x, reach = -wide / 2 + float(rng.uniform(-0.1, 0.1)), wide / 2 - max(0, row - 3) * float(rng.uniform(0.2, 0.7))
        while x < reach:
            length = float(rng.uniform(0.32, 0.62))
            meshes.append(
                standing_box(
                    (length - 0.012, 0.228, 0.4 + float(rng.uniform(-0.02, 0.02))),
                    (x + length / 2, row * 0.238, float(rng.uniform(-0.012, 0.012))),
                    0.02,
                )
            )
            x += length
    return [Part(merged(meshes))]


def well(rng: Rng) -> list[Part]:
    """Build a stone well with a roof on posts."""
    ring = vessel(((0.62, 0), (0.62, 0.3), (0.62, 0.72), (0.66, 0.8)), 0.15, 0.1)
    posts = [standing_box((0.1, 1.75, 0.1), (sx * 0.68, 0, 0), 0.01) for sx in (-1, 1)]
    beam = standing_box((1.6, 0.1, 0.1), (0, 1.62, 0), 0.01)
    halves = [moved(rotated(standing_box((1.75, 0.04, 0.85)), "x", s * 36), (0, 1.76, s * 0.34)) for s in (-1, 1)]
    water = moved(turned([((0.5, 0), (0.2, 0), (0, 0))], 60), (0, 0.35, 0))
    return [Part(ring), Part(merged([*posts, beam]), "oak"), Part(merged(halves), "roof tiles"), Part(water, "water")]


def pavilion(rng: Rng) -> list[Part]:
    """Build a round pavilion: steps, eight columns, and a dome."""
    steps = [
        moved(turned([((r, 0), (r, 0.13)), ((r, 0.13), (r * 0.5, 0.13), (0, 0.13))], 60), (0, 0.13 * i, 0))
        for i, r in enumerate((1.75, 1.55))
    ]
    columns = [
        moved(column_mesh(2.1, 0.13, 16), (1.25 * np.sin(a), 0.26, 1.25 * np.cos(a)))
        for a in np.linspace(0, 2 * np.pi, 9)[:-1] + np.pi / 8
    ]
    ring = moved(
        turned(
            [
                ((1.05, 0), (1.45, 0)),
                ((1.45, 0), (1.45, 0.24)),
                ((1.45, 0.24), (1.55, 0.27), (1.55, 0.35)),
                ((1.55, 0.35), (1.2, 0.36)),
                ((1.05, 0.24), (1.05, 0)),
            ],
            60,
        ),
        (0, 2.36, 0),
    )
    t = np.linspace(0, np.pi / 2, 20)
    dome = moved(turned([[(1.25 * float(np.cos(a)), 0.95 * float(np.sin(a))) for a in t]], 90), (0, 2.7, 0))
    knob = moved(superellipsoid((0.2, 0.28, 0.2), 1.0, 30, 40), (0, 3.62, 0))
    return [Part(merged([*steps, *columns, ring, dome, knob]))]


def cottage(rng: Rng) -> list[Part]:
    """Build a small gabled house with a door, two windows and a chimney."""
    w, h, d = float(rng.uniform(2.2, 2.6)), 1.45, 1.7
    walls = standing_box((w, h, d), bevel=0.02)
    rise = float(rng.uniform(0.75, 0.95))
    gable = np.array(
        [
            [-w / 2, h, d / 2],
            [w / 2, h, d / 2],
            [0, h + rise, d / 2],
            [-w / 2, h, -d / 2],
            [w / 2, h, -d / 2],
            [0, h + rise, -d / 2],
        ]
    )
    gables = Mesh(gable, np.array([[0, 1, 2], [4, 3, 5]], dtype=np.uint32), gable[:, :2])
    slope = float(np.degrees(np.arctan2(rise, w / 2)))
    length = float(np.hypot(rise, w / 2)) + 0.22
    roof = [
        moved(
            rotated(box((length, 0.07, d + 0.3), 0.01), "z", -s * slope), (s * (w / 4 + 0.04), h + rise / 2 - 0.02, 0)
        )
        for s in (-1, 1)
    ]
    frames = [box((0.52, 0.56, 0.06), 0.006, (s * w * 0.3, 0.82, d / 2)) for s in (-1, 1)]
    panes = [
        box((0.2, 0.22, 0.02), 0.002, (s * w * 0.3 + dx, 0.82 + dy, d / 2 + 0.03))
        for s in (-1, 1)
        for dx in (-0.115, 0.115)
        for dy in (-0.125, 0.125)
    ]
    door = standing_box((0.56, 1.1, 0.06), (0, 0, d / 2 + 0.005), 0.008)
    chimney = standing_box((0.26, 0.75, 0.26), (w * 0.25, h + rise * 0.4, -d * 0.2), 0.01)
    return [
        Part(merged([walls, gables])),
        Part(merged(roof), "roof tiles"),
        Part(merged(frames), "white paint"),
        Part(merged(panes), "dark glass"),
        Part(door, "painted wood"),
        Part(chimney, "brick"),
    ]


def tower(rng: Rng) -> list[Part]:
    """Build a round battlemented tower with a door and slits."""
    r, tall = 0.85, float(rng.uniform(2.9, 3.5))
    body = turned(
        [
            ((r * 1.14, 0), (r * 1.03, tall * 0.12), (r, tall * 0.5), (r * 0.98, tall * 0.86)),
            ((r * 0.98, tall * 0.86), (r * 1.12, tall * 0.9), (r * 1.12, tall)),
            ((r * 1.12, tall), (0.0, tall)),
        ],
        60,
    )
    noise = fractal_noise(body.vertices_v3 * 4.0, int(rng.integers(1 << 30)), 3) * 0.02
    merlons = [rotated(standing_box((0.3, 0.3, 0.16), (0, tall, r * 1.04), 0.015), "y", 36 * i) for i in range(10)]
    slits = [
        rotated(box((0.09, 0.42, 0.08), 0.004, (0, y, r * 1.0)), "y", a)
        for y, a in ((1.3, 20.0), (2.1, -35.0), (2.2, 60.0))
    ]
    door = standing_box((0.46, 0.85, 0.12), (0, 0, r * 1.08), 0.01)
    return [Part(merged([displaced(body, noise), *merlons])), Part(merged(slits), "dark glass"), Part(door, "oak")]
