"""Build small turned objects: lights, toys and plain solids. They stand on y = 0, in metres."""

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Mesh, Part, moved, rotated
from lumenmill_studio.scenes.shapes.turned import tube, turned, vessel

__all__ = [
    "Rng",
    "bell",
    "candle",
    "candlestick",
    "chess_pawn",
    "cone",
    "cylinder",
    "egg",
    "lamp",
    "sphere",
    "spinning_top",
]

Rng = np.random.Generator


def candlestick(rng: Rng) -> list[Part]:
    """Build a turned candlestick with a candle in it."""
    tall = float(rng.uniform(0.15, 0.22))
    stick = turned(
        [
            ((0, 0), (0.052, 0)),
            (
                (0.052, 0),
                (0.053, 0.008),
                (0.03, 0.018),
                (0.012, 0.028),
                (0.008, tall * 0.3),
                (0.017, tall * 0.42),
                (0.0085, tall * 0.52),
                (0.007, tall * 0.8),
                (0.014, tall * 0.9),
                (0.026, tall * 0.94),
                (0.024, tall),
            ),
            ((0.024, tall), (0, tall)),
        ]
    )
    return [
        Part(stick),
        Part(moved(_candle_body(0.0105, float(rng.uniform(0.08, 0.15))), (0, tall, 0)), "wax"),
        Part(_wick(tall + 0.08), "char"),
    ]


def _candle_body(reach: float, tall: float) -> Mesh:
    return turned(
        [((reach, 0), (reach, tall * 0.5), (reach * 0.99, tall * 0.985), (reach * 0.8, tall), (0, tall * 0.985))]
    )


def _wick(height: float) -> Mesh:
    return tube([(0, height, 0), (0, height + 0.01, 0), (0.002, height + 0.016, 0)], 0.0009, 8, 8)


def candle(rng: Rng) -> list[Part]:
    """Build a pillar candle."""
    reach, tall = float(rng.uniform(0.03, 0.04)), float(rng.uniform(0.09, 0.16))
    return [Part(_candle_body(reach, tall)), Part(_wick(tall - 0.002), "char")]


def bell(rng: Rng) -> list[Part]:
    """Build a hand bell with a turned handle."""
    reach = float(rng.uniform(0.05, 0.06))
    body = turned(
        [
            (
                (reach * 0.86, 0.004),
                (reach, 0),
                (reach * 1.02, 0.004),
                (reach * 0.8, 0.02),
                (reach * 0.62, 0.05),
                (reach * 0.5, 0.08),
                (0.012, 0.096),
                (0.008, 0.1),
            )
        ]
    )
    grip = turned(
        [((0.008, 0.098), (0.012, 0.105), (0.007, 0.118), (0.012, 0.15), (0.009, 0.175), (0.0135, 0.187), (0, 0.198))]
    )
    return [Part(body), Part(grip, "walnut" if rng.random() < 0.5 else "main")]


def chess_pawn(rng: Rng) -> list[Part]:
    """Build a chess pawn, large."""
    s = float(rng.uniform(0.95, 1.1))
    body = turned(
        [
            ((0, 0), (0.05 * s, 0)),
            ((0.05 * s, 0), (0.051 * s, 0.012), (0.046 * s, 0.022)),
            ((0.046 * s, 0.022), (0.04 * s, 0.03), (0.026 * s, 0.05), (0.017 * s, 0.09), (0.016 * s, 0.118)),
            ((0.016 * s, 0.118), (0.03 * s, 0.124), (0.03 * s, 0.13), (0.017 * s, 0.136)),
            ((0.017 * s, 0.136), (0.028 * s, 0.148), (0.033 * s, 0.168), (0.025 * s, 0.193), (0, 0.202)),
        ]
    )
    return [Part(body)]


def spinning_top(rng: Rng) -> list[Part]:
    """Build a spinning top at rest on its side."""
    body = turned(
        [
            (
                (0, 0),
                (0.003, 0.006),
                (0.02, 0.03),
                (0.045, 0.058),
                (0.047, 0.066),
                (0.035, 0.078),
                (0.01, 0.086),
                (0.006, 0.09),
                (0.0055, 0.12),
                (0, 0.124),
            )
        ]
    )
    lying = rotated(rotated(body, "z", 51), "y", float(rng.uniform(0, 360)))
    return [Part(moved(lying, (0, -float(lying.lower[1]), 0)))]


def lamp(rng: Rng) -> list[Part]:
    """Build a table lamp with a fabric shade."""
    tall = float(rng.uniform(0.2, 0.24))
    foot = turned(
        [
            ((0, 0), (0.055, 0)),
            (
                (0.055, 0),
                (0.055, 0.01),
                (0.03, 0.02),
                (0.04, 0.07),
                (0.05, 0.1),
                (0.03, 0.14),
                (0.01, 0.16),
                (0.007, tall),
                (0, tall + 0.004),
            ),
        ]
    )
    shade = vessel(((0.095, 0), (0.085, 0.04), (0.07, 0.1)), 0.0015, -1.0)
    return [Part(foot), Part(moved(shade, (0, tall - 0.02, 0)), "linen")]


def sphere(rng: Rng) -> list[Part]:
    """Build a ball."""
    r = float(rng.uniform(0.055, 0.075))
    turn = np.linspace(-np.pi / 2, np.pi / 2, 25)
    return [Part(turned([[(r * float(np.cos(a)), r * float(np.sin(a)) + r) for a in turn]]))]


def cone(rng: Rng) -> list[Part]:
    """Build a cone with a faintly rounded tip."""
    r, h = float(rng.uniform(0.055, 0.07)), float(rng.uniform(0.14, 0.18))
    return [Part(turned([((0, 0), (r, 0)), ((r, 0), (r * 0.5, h * 0.5), (r * 0.03, h * 0.985), (0, h))]))]


def cylinder(rng: Rng) -> list[Part]:
    """Build a cylinder with softened edges."""
    r, h = float(rng.uniform(0.045, 0.06)), float(rng.uniform(0.1, 0.15))
    return [
        Part(
            turned(
                [
                    ((0, 0), (r - 0.003, 0)),
                    ((r - 0.003, 0), (r - 0.001, 0.001), (r, 0.003)),
                    ((r, 0.003), (r, h - 0.003)),
                    ((r, h - 0.003), (r - 0.001, h - 0.001), (r - 0.003, h)),
                    ((r - 0.003, h), (0, h)),
                ]
            )
        )
    ]


def egg(rng: Rng) -> list[Part]:
    """Build an egg, upright."""
    h = float(rng.uniform(0.06, 0.07))
    t = np.linspace(-np.pi / 2, np.pi / 2, 25)
    return [
        Part(
            turned(
                [[(h * 0.37 * float(np.cos(a) * (1 - 0.17 * np.sin(a))), h * 0.5 * float(np.sin(a) + 1)) for a in t]]
            )
        )
    ]
