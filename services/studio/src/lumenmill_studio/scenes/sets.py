"""Build sets: grounds, tables, walls with windows, backdrops. Builders take parameters in metres and return parts."""

from collections.abc import Callable, Mapping

import numpy as np

from lumenmill_studio.scenes.ruins import ruins
from lumenmill_studio.scenes.shapes.mesh import Mesh, Part, grid_mesh, merged, moved, rotated
from lumenmill_studio.scenes.shapes.noise import fractal_noise
from lumenmill_studio.scenes.shapes.plants import grass
from lumenmill_studio.scenes.shapes.solids import box
from lumenmill_studio.scenes.shapes.stones import stone

__all__ = [
    "SETS",
    "Params",
    "Rng",
    "back_wall",
    "beams",
    "blades",
    "cloth",
    "garden_wall",
    "hills",
    "niche",
    "room",
    "scattered_stones",
    "slab",
    "sweep",
    "terrain",
    "window_wall",
]

Params = Mapping[str, float]
Rng = np.random.Generator


def slab(params: Params, rng: Rng) -> list[Part]:
    """Build a table top or ledge whose upper face is y = 0: ``width``, ``depth``, ``thickness``, ``bevel``."""
    size = (params["width"], params["thickness"], params["depth"])
    return [Part(box(size, params.get("bevel", 0.008), (0, -params["thickness"] / 2, 0)))]


def cloth(params: Params, rng: Rng) -> list[Part]:
    """Build a linen cloth laid on the ground with soft creases: ``width``, ``depth``."""
    x, z = np.meshgrid(
        np.linspace(-0.5, 0.5, 220) * params["width"], np.linspace(-0.5, 0.5, 160) * params["depth"], indexing="ij"
    )
    points = np.stack([x.ravel() * 2.2, np.zeros(x.size), z.ravel() * 2.2], 1)
    seed = int(rng.integers(1 << 30))
    creases = np.abs(fractal_noise(points + 0.35 * fractal_noise(points, seed + 3, 2)[:, None], seed, 3)).reshape(
        x.shape
    )
    away = np.clip((np.hypot(x, z) - 0.16) / 0.25, 0, 1)
    y = 0.0012 + 0.022 * creases * away
    return [Part(grid_mesh(np.stack([x, y, z], -1)[:, ::-1], np.stack([x, z], -1)[:, ::-1]))]


def back_wall(params: Params, rng: Rng) -> list[Part]:
    """Build a plain wall across the view: ``z`` of its face, ``width``, ``height``, ``base``."""
    size = (params["width"], params["height"], 0.1)
    return [Part(box(size, 0.005, (0, params.get("base", 0.0) + params["height"] / 2, params["z"] - 0.05)))]


def sweep(params: Params, rng: Rng) -> list[Part]:
    """Build a seamless backdrop that curves up from the floor.

    ``depth`` behind the subject, ``front`` before it, ``radius`` of the bend, ``width``, ``height``.
    """
    depth, bend, front = params["depth"], params["radius"], params["front"]
    turn = np.linspace(0, np.pi / 2, 25)
    z = np.concatenate([[front, 0.0], -(depth - bend) - bend * np.sin(turn), [-depth]])
    y = np.concatenate([[0.0, 0.0], bend - bend * np.cos(turn), [params["height"]]])
    x = np.array([-0.5, 0.5]) * params["width"]
    points = np.stack(np.broadcast_arrays(x[None, :], y[:, None], z[:, None]), -1)
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(y), np.diff(z)))])
    uv = np.stack(np.broadcast_arrays(x[None, :], length[:, None]), -1)
    return [Part(grid_mesh(points[:, ::-1], uv[:, ::-1]))]


def niche(params: Params, rng: Rng) -> list[Part]:
    """Build a wall with a round-headed niche around the subject: ``radius``, ``spring``, ``width``, ``height``."""
    radius, spring = params["radius"], params["spring"]
    angle = np.linspace(-np.pi / 2, np.pi / 2, 49)[None, :]
    rise = np.concatenate([np.linspace(0, spring, 8), spring + radius * np.sin(np.linspace(0, np.pi / 2, 25)[1:])])[
        :, None
    ]
    reach = np.sqrt(np.clip(radius**2 - np.clip(rise - spring, 0, None) ** 2, 0, None))
    shell = np.stack(np.broadcast_arrays(reach * np.sin(angle), rise, -reach * np.cos(angle) + 0.02), -1)
    uv = np.stack(np.broadcast_arrays(angle * radius, rise), -1)
    turn = np.linspace(0, np.pi, 49)
    inner = np.concatenate(
        [[[radius, 0.0]], np.stack([radius * np.cos(turn), spring + radius * np.sin(turn)], 1), [[-radius, 0.0]]]
    )
    half, top = params["width"] / 2, params["height"]
    outer = np.concatenate(
        [
            [[half, 0.0]],
            np.stack(
                [half * np.clip(1.6 * np.cos(turn), -1, 1), np.where(np.sin(turn) > 0.5, top, top * np.sin(turn) * 2)],
                1,
            ),
            [[-half, 0.0]],
        ]
    )
    face = np.stack([np.concatenate([ring, np.full((len(ring), 1), 0.02)], 1) for ring in (inner, outer)])
    floor = box((params["width"], 0.06, 2.2), 0.004, (0, -0.03, 0.0))
    return [Part(merged([grid_mesh(shell, uv), grid_mesh(face[::-1], face[::-1, :, :2]), floor]))]


def window_wall(params: Params, rng: Rng) -> list[Part]:
    """Build a wall with a row of windows in the plane z = 0, facing +z, centred at x = 0 and standing on y = 0.

    ``width``, ``height``, ``num_windows``, ``window_width``, ``sill``, ``head`` heights, ``thickness``, ``shift`` of
    the windows in x.
    """
    width, height, thick = params["width"], params["height"], params.get("thickness", 0.22)
    num, opening, sill, head = int(params["num_windows"]), params["window_width"], params["sill"], params["head"]
    gap = params.get("gap", 0.5)
    centers = [(i - (num - 1) / 2) * (opening + gap) + params.get("shift", 0.0) for i in range(num)]
    edges = [-width / 2, *(e for c in centers for e in (c - opening / 2, c + opening / 2)), width / 2]
    pieces = [_panel(a, b, 0, height, thick) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 0.01]
    for center in centers:
        pieces += [
            _panel(center - opening / 2, center + opening / 2, 0, sill, thick),
            _panel(center - opening / 2, center + opening / 2, head, height, thick),
        ]
    frames = [mesh for center in centers for mesh in _frame(center, opening, sill, head, thick)]
    skirting = (
        box((width, 0.11, 0.02), 0.004, (0, 0.055, 0.01))
        if sill > 0.15
        else box((0.02, 0.02, 0.02), 0.002, (0, 0.02, -thick / 2))
    )
    return [
        Part(merged(pieces)),
        Part(merged([*frames, skirting]), "white paint" if params.get("dark_frames", 0) < 0.5 else "char"),
    ]


def _panel(x0: float, x1: float, y0: float, y1: float, thick: float) -> Mesh:
    return box((x1 - x0, y1 - y0, thick), 0.004, ((x0 + x1) / 2, (y0 + y1) / 2, -thick / 2))


def _frame(center: float, opening: float, sill: float, head: float, thick: float) -> list[Mesh]:
    middle, tall, bar = (sill + head) / 2, head - sill, 0.05
    meshes = [box((bar, tall, 0.06), 0.006, (center + s * (opening - bar) / 2, middle, -thick * 0.6)) for s in (-1, 1)]
    meshes += [box((opening, bar, 0.06), 0.006, (center, middle + s * (tall - bar) / 2, -thick * 0.6)) for s in (-1, 1)]
    meshes.append(box((0.035, tall, 0.045), 0.006, (center, middle, -thick * 0.6)))
    rows = max(2, round(tall / 0.55))
    meshes += [
        box((opening, 0.03, 0.04), 0.006, (center, sill + tall * (i + 1) / rows, -thick * 0.6)) for i in range(rows - 1)
    ]
    meshes.append(box((opening + 0.12, 0.035, thick + 0.1), 0.008, (center, sill + 0.01, -thick / 2 + 0.05)))
    return meshes


def room(params: Params, rng: Rng) -> list[Part]:
    """Build the back and the left wall of a room, with windows: ``width``, ``depth``, ``height``, and as window_wall.

    The floor is centred at x = 0. The back wall extends to the right by ``extra``, out of the picture.
    """
    extra = params["extra"]
    back = window_wall(
        {
            **params,
            "width": params["width"] + extra,
            "num_windows": params["back_windows"],
            "shift": params["back_shift"] - extra / 2,
        },
        rng,
    )
    side = window_wall(
        {
            **params,
            "width": params["depth"],
            "num_windows": params["side_windows"],
            "shift": params.get("side_shift", 0.0),
        },
        rng,
    )
    placed = [Part(moved(part.mesh, (extra / 2, 0, -params["depth"] / 2)), part.material) for part in back]
    placed += [Part(moved(rotated(part.mesh, "y", 90), (-params["width"] / 2, 0, 0)), part.material) for part in side]
    return placed


def beams(params: Params, rng: Rng) -> list[Part]:
    """Build ceiling beams over a room: ``width``, ``depth``, ``height``, ``count``."""
    step = params["depth"] / params["count"]
    return [
        Part(
            merged(
                [
                    box(
                        (params["width"] + 0.3, 0.16, 0.12),
                        0.012,
                        (0, params["height"] - 0.1, -params["depth"] / 2 + step * (i + 0.5)),
                    )
                    for i in range(int(params["count"]))
                ]
            )
        )
    ]


def terrain(params: Params, rng: Rng) -> list[Part]:
    """Build open ground, flat around the subject and hilly beyond.

    ``flat`` and ``extent`` are radii, ``relief`` is a height.
    """
    flat, extent, relief = params["flat"], params["extent"], params["relief"]
    ring = np.concatenate([np.linspace(0, flat, 14)[:-1], flat * (extent / flat) ** np.linspace(0, 1, 70)])[:, None]
    angle = np.linspace(0, 2 * np.pi, 181)[None, :]
    x, z = ring * np.sin(angle), ring * np.cos(angle)
    points = np.stack([x.ravel(), np.zeros(x.size), z.ravel()], 1)
    rolling = fractal_noise(points / (flat * 2.2), int(rng.integers(1 << 30)), 4).reshape(x.shape)
    y = relief * rolling * np.clip((ring - flat) / (flat * 3), 0, 1) ** 1.3
    return [Part(grid_mesh(np.stack([x, y, z], -1), np.stack([x, z], -1)))]


def hills(params: Params, rng: Rng) -> list[Part]:
    """Build a ring of distant hills: ``radius`` from the subject, ``height``."""
    radius, height = params["radius"], params["height"]
    angle = np.linspace(0, 2 * np.pi, 361)[None, :]
    step = np.linspace(0, 1, 22)[:, None]
    ring = radius * (1 + 0.9 * step)
    points = np.stack(np.broadcast_arrays(np.sin(angle) * 2.6, step * 0.9, np.cos(angle) * 2.6), -1).reshape(-1, 3)
    ridge = fractal_noise(points, int(rng.integers(1 << 30)), 5, 0.52).reshape(22, 361)
    y = height * np.clip(0.6 + 1.1 * ridge, 0.22, None) * np.sin(np.pi * np.clip(step, 0, 1)) ** 1.1 - 0.03 * height
    xyz = np.stack([ring * np.sin(angle), y, ring * np.cos(angle)], -1)
    return [Part(grid_mesh(xyz, xyz[..., [0, 2]]))]


def blades(params: Params, rng: Rng) -> list[Part]:
    """Build grass on the ground: ``inner`` and ``outer`` radius, ``count``, ``height``."""
    return [Part(grass(rng, params["inner"], params["outer"], int(params["count"]), params["height"]))]


def scattered_stones(params: Params, rng: Rng) -> list[Part]:
    """Build small stones around the subject: ``inner`` and ``outer`` radius, ``count``, ``size``."""
    meshes = []
    for _ in range(int(params["count"])):
        radius = params["inner"] + (params["outer"] - params["inner"]) * float(rng.random()) ** 1.3
        angle, size = float(rng.uniform(0, 2 * np.pi)), params["size"] * float(rng.uniform(0.4, 1.6))
        piece = stone(rng, (size, size * 0.62, size * 0.8), 0.16)
        meshes.append(
            moved(
                rotated(piece, "y", float(rng.uniform(0, 360))),
                (radius * np.sin(angle), -size * 0.14, radius * np.cos(angle)),
            )
        )
    return [Part(merged(meshes))]


def garden_wall(params: Params, rng: Rng) -> list[Part]:
    """Build a wall behind and to the left: ``z`` behind, ``x`` left, ``height``."""
    high, z, x = params["height"], params["z"], params["x"]
    back = box((4 * abs(x), high, 0.35), 0.02, (0, high / 2, z))
    side = box((0.35, high, 3 * abs(z)), 0.02, (x, high / 2, z + 1.5 * abs(z)))
    caps = [
        box((4 * abs(x) + 0.1, 0.09, 0.5), 0.02, (0, high + 0.045, z)),
        box((0.5, 0.09, 3 * abs(z)), 0.02, (x, high + 0.045, z + 1.5 * abs(z))),
    ]
    return [Part(merged([back, side])), Part(merged(caps), "limestone")]


SETS: dict[str, Callable[[Params, Rng], list[Part]]] = {
    "set:slab": slab,
    "set:cloth": cloth,
    "set:back wall": back_wall,
    "set:sweep": sweep,
    "set:niche": niche,
    "set:window wall": window_wall,
    "set:room": room,
    "set:beams": beams,
    "set:terrain": terrain,
    "set:hills": hills,
    "set:blades": blades,
    "set:stones": scattered_stones,
    "set:garden wall": garden_wall,
    "set:ruins": ruins,
}
