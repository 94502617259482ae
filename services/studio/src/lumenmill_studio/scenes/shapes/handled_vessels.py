"""Build vessels with handles or spouts. They stand on y = 0, in metres."""

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Mesh, Part, merged, rotated
from lumenmill_studio.scenes.shapes.turned import tube, turned, vessel
from lumenmill_studio.scenes.shapes.vessels import jittered

__all__ = ["amphora", "jug", "kettle", "mug", "teapot", "urn"]

Rng = np.random.Generator


def _handle(reach: float, low: float, high: float, bulge: float, thickness: float, top_reach: float = 0.0) -> Mesh:
    """Build a handle on the +x side of a wall of radius ``reach``, or ``top_reach`` at the upper end if it is given."""
    top = (top_reach or reach) * 0.93
    path = [
        (top, high, 0),
        (reach + bulge * 0.75, high + 0.008, 0),
        (reach + bulge, (low + high) / 2 + 0.01, 0),
        (reach + bulge * 0.6, low + 0.012, 0),
        (reach * 0.93, low, 0),
    ]
    return tube(path, [thickness, thickness * 0.85, thickness * 0.8, thickness * 0.85, thickness], flatness=1.5)


def mug(rng: Rng) -> list[Part]:
    """Build a straight mug with a handle."""
    reach, tall = float(rng.uniform(0.038, 0.044)), float(rng.uniform(0.085, 0.1))
    body = vessel(((reach * 0.9, 0), (reach * 0.99, 0.008), (reach, 0.04), (reach, tall)), 0.0045)
    return [Part(merged([body, _handle(reach, tall * 0.2, tall * 0.78, 0.03, 0.0055)]))]


def jug(rng: Rng) -> list[Part]:
    """Build a bellied jug with a pouring lip and a handle."""
    tall = float(rng.uniform(0.22, 0.27))
    profile = jittered(
        rng,
        (
            (0.048, 0),
            (0.075, tall * 0.2),
            (0.08, tall * 0.38),
            (0.058, tall * 0.68),
            (0.045, tall * 0.82),
            (0.052, tall),
        ),
        0.05,
    )
    body = vessel(profile, 0.005)
    points = body.vertices_v3.copy()
    lip = np.clip((points[:, 1] - tall * 0.8) / (tall * 0.2), 0, 1) ** 2
    toward = np.clip(-points[:, 0] / np.maximum(np.hypot(points[:, 0], points[:, 2]), 1e-6), 0, 1) ** 6
    points[:, 0] -= 0.03 * lip * toward
    points[:, 1] += 0.006 * lip * toward
    shaped = Mesh(points, body.faces_f3, body.uv_v2, body.normals_v3)
    return [Part(merged([shaped, _handle(0.052, tall * 0.36, tall * 0.9, 0.062, 0.007)]))]


def _spout(reach: float, low: float, high: float, length: float) -> Mesh:
    path = [
        (-reach * 0.8, low, 0),
        (-reach - length * 0.45, low + (high - low) * 0.3, 0),
        (-reach - length * 0.75, low + (high - low) * 0.75, 0),
        (-reach - length, high, 0),
    ]
    return tube(path, [0.021, 0.015, 0.01, 0.009])


def teapot(rng: Rng) -> list[Part]:
    """Build a round teapot with spout, handle and a lid with a knob."""
    reach, tall = float(rng.uniform(0.078, 0.088)), float(rng.uniform(0.1, 0.12))
    body = turned(
        [
            ((0, 0), (0.05, 0)),
            (
                (0.05, 0),
                (0.053, 0.006),
                (reach * 0.93, tall * 0.28),
                (reach, tall * 0.5),
                (reach * 0.84, tall * 0.8),
                (0.045, tall * 0.97),
                (0.042, tall),
            ),
        ]
    )
    lid = turned(
        [
            (
                (0.043, tall),
                (0.042, tall + 0.004),
                (0.025, tall + 0.014),
                (0.007, tall + 0.018),
                (0.006, tall + 0.022),
                (0.012, tall + 0.032),
                (0.008, tall + 0.041),
                (0, tall + 0.043),
            )
        ]
    )
    handle = _handle(reach * 0.94, tall * 0.3, tall * 0.8, 0.05, 0.006)
    return [Part(merged([body, lid, handle, _spout(reach, tall * 0.35, tall * 0.96, 0.058)]))]


def kettle(rng: Rng) -> list[Part]:
    """Build a stove kettle: broad body, lid, spout, and a bail handle over the top."""
    reach, tall = float(rng.uniform(0.095, 0.108)), float(rng.uniform(0.125, 0.145))
    body = turned(
        [
            ((0, 0), (reach * 0.9, 0)),
            (
                (reach * 0.9, 0),
                (reach * 0.99, 0.012),
                (reach, tall * 0.3),
                (reach * 0.86, tall * 0.68),
                (0.058, tall * 0.96),
                (0.05, tall),
            ),
        ]
    )
    lid = turned([((0.052, tall), (0.05, tall + 0.005), (0.03, tall + 0.012), (0.006, tall + 0.015))])
    knob = turned(
        [
            (
                (0.006, tall + 0.015),
                (0.006, tall + 0.024),
                (0.014, tall + 0.033),
                (0.011, tall + 0.043),
                (0, tall + 0.046),
            )
        ]
    )
    top = tall + float(rng.uniform(0.085, 0.1))
    bail = tube(
        [
            (-reach * 0.76, tall * 0.78, 0),
            (-reach * 0.72, tall * 1.15, 0),
            (-reach * 0.4, top, 0),
            (0, top + 0.012, 0),
            (reach * 0.4, top, 0),
            (reach * 0.72, tall * 1.15, 0),
            (reach * 0.76, tall * 0.78, 0),
        ],
        [0.005, 0.005, 0.006, 0.006, 0.006, 0.005, 0.005],
    )
    grip = tube(
        [(-reach * 0.36, top + 0.002, 0), (0, top + 0.0125, 0), (reach * 0.36, top + 0.002, 0)],
        [0.0105, 0.0135, 0.0105],
    )
    spout = _spout(reach * 0.95, tall * 0.32, tall * 0.92, 0.075)
    return [Part(merged([body, lid, spout, bail])), Part(merged([knob, grip]), "ebony")]


def urn(rng: Rng) -> list[Part]:
    """Build a footed urn with two handles."""
    profile = jittered(
        rng,
        (
            (0.055, 0),
            (0.055, 0.012),
            (0.03, 0.03),
            (0.026, 0.05),
            (0.06, 0.085),
            (0.105, 0.17),
            (0.11, 0.22),
            (0.085, 0.265),
            (0.07, 0.285),
            (0.088, 0.31),
        ),
        0.05,
    )
    ears = [rotated(_handle(0.1, 0.17, 0.272, 0.035, 0.0065, 0.07), "y", angle) for angle in (0, 180)]
    return [Part(merged([vessel(profile, 0.006), *ears]))]


def amphora(rng: Rng) -> list[Part]:
    """Build a slender amphora with two tall handles."""
    tall = float(rng.uniform(0.34, 0.4))
    profile = (
        (0.03, 0),
        (0.032, 0.008),
        (0.024, 0.022),
        (0.055, tall * 0.28),
        (0.082, tall * 0.52),
        (0.07, tall * 0.67),
        (0.03, tall * 0.78),
        (0.026, tall * 0.9),
        (0.037, tall),
    )
    ears = [rotated(_handle(0.032, tall * 0.68, tall * 0.93, 0.045, 0.0065), "y", angle) for angle in (0, 180)]
    return [Part(merged([vessel(profile, 0.0055), *ears]))]
