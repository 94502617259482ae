"""Build fruit and a pumpkin. They stand or lie on y = 0, in metres."""

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Mesh, Part, merged, moved, rotated, scaled
from lumenmill_studio.scenes.shapes.noise import fractal_noise
from lumenmill_studio.scenes.shapes.solids import box, displaced, superellipsoid
from lumenmill_studio.scenes.shapes.turned import Profile, revolved, smooth_curve, tube

__all__ = ["apple", "lemon", "orange", "pear", "plum", "pomegranate", "pumpkin"]

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
    """Build an apple with its stem."""
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
    """Build a pear, standing or lying."""
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
    """Build a lemon on its side."""
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
    """Build an orange."""
    r = float(rng.uniform(0.035, 0.04))
    turn = np.linspace(-np.pi / 2, np.pi / 2, 33)
    body = _fruit(rng, [(r * float(np.cos(a)), 0.95 * r * float(np.sin(a) + 1)) for a in turn], 0.008, 140)
    pores = fractal_noise(body.vertices_v3 * 380, int(rng.integers(1 << 30)), 1) * 0.0005
    return _tilted(rng, [Part(displaced(body, pores))], float(rng.uniform(0, 60)))


def plum(rng: Rng) -> list[Part]:
    """Build a plum."""
    r = float(rng.uniform(0.021, 0.025))
    turn = np.linspace(-np.pi / 2, np.pi / 2, 25)
    body = _fruit(rng, [(r * float(np.cos(a)), 1.18 * r * float(np.sin(a) + 1)) for a in turn], 0.006)
    return _tilted(rng, [Part(body)], float(rng.uniform(40, 90)))


def pomegranate(rng: Rng) -> list[Part]:
    """Build a pomegranate with its crown."""
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
    """Build a ribbed pumpkin."""
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
