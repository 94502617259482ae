"""Build vessels without handles, as turned on a wheel. They stand on y = 0, in metres."""

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Part, merged, moved, rotated
from lumenmill_studio.scenes.shapes.turned import Profile, turned, vessel

__all__ = ["bottle", "bowl", "cup", "goblet", "jar", "jittered", "mortar", "plate", "vase"]

Rng = np.random.Generator


def jittered(rng: Rng, profile: Profile, amount: float = 0.08) -> list[tuple[float, float]]:
    """Return a profile whose radii vary by up to the fraction ``amount``."""
    return [(radius * float(rng.uniform(1 - amount, 1 + amount)), height) for radius, height in profile]


_VASES: tuple[Profile, ...] = (
    ((0.045, 0), (0.07, 0.05), (0.085, 0.12), (0.06, 0.2), (0.032, 0.25), (0.03, 0.28), (0.045, 0.31)),
    ((0.035, 0), (0.05, 0.06), (0.075, 0.15), (0.08, 0.22), (0.06, 0.27), (0.036, 0.285), (0.042, 0.3)),
    ((0.05, 0), (0.085, 0.05), (0.095, 0.11), (0.07, 0.165), (0.03, 0.2), (0.022, 0.26), (0.03, 0.34)),
    ((0.055, 0), (0.056, 0.08), (0.06, 0.16), (0.067, 0.24), (0.078, 0.3)),
    ((0.04, 0), (0.045, 0.03), (0.07, 0.09), (0.1, 0.15), (0.088, 0.21), (0.048, 0.24), (0.055, 0.265)),
)


def vase(rng: Rng) -> list[Part]:
    """Build a vase, one of five silhouettes, varied."""
    return [Part(vessel(jittered(rng, _VASES[int(rng.integers(len(_VASES)))]), 0.005))]


def bowl(rng: Rng) -> list[Part]:
    """Build an open bowl on a foot ring."""
    reach, height = float(rng.uniform(0.11, 0.15)), float(rng.uniform(0.06, 0.085))
    profile = (
        (0.045, 0),
        (0.046, 0.01),
        (0.06, 0.018),
        (reach * 0.78, height * 0.5),
        (reach * 0.95, height * 0.82),
        (reach, height),
    )
    return [Part(vessel(profile, 0.006))]


def plate(rng: Rng) -> list[Part]:
    """Build a shallow plate with a rim."""
    reach = float(rng.uniform(0.12, 0.15))
    return [Part(vessel(((0.07, 0), (0.075, 0.006), (reach * 0.75, 0.012), (reach, 0.024)), 0.005, 0.004))]


def bottle(rng: Rng) -> list[Part]:
    """Build a bottle with shoulder and neck."""
    body, neck = float(rng.uniform(0.036, 0.048)), float(rng.uniform(0.012, 0.016))
    tall = float(rng.uniform(0.26, 0.33))
    profile = (
        (body * 0.93, 0),
        (body, 0.012),
        (body, tall * 0.3),
        (body, tall * 0.52),
        (body * 0.72, tall * 0.64),
        (neck, tall * 0.75),
        (neck, tall * 0.9),
        (neck * 1.25, tall * 0.95),
        (neck * 1.2, tall),
    )
    return [Part(vessel(profile, 0.0035))]


def cup(rng: Rng) -> list[Part]:
    """Build a small cup without a handle."""
    reach = float(rng.uniform(0.038, 0.046))
    return [Part(vessel(((0.026, 0), (reach * 0.85, 0.025), (reach, 0.06), (reach * 1.04, 0.085)), 0.0035))]


def goblet(rng: Rng) -> list[Part]:
    """Build a stemmed goblet."""
    bowl_reach, stem = float(rng.uniform(0.038, 0.046)), float(rng.uniform(0.07, 0.09))
    foot = turned(
        [
            ((0, 0), (0.036, 0)),
            (
                (0.036, 0),
                (0.035, 0.003),
                (0.015, 0.009),
                (0.0055, 0.02),
                (0.005, stem * 0.45),
                (0.009, stem * 0.5),
                (0.005, stem * 0.56),
                (0.0055, stem),
            ),
        ]
    )
    cup_part = moved(
        vessel(((0.006, 0), (0.028, 0.014), (bowl_reach, 0.05), (bowl_reach * 0.93, 0.1)), 0.0025, 0.004), (0, stem, 0)
    )
    return [Part(merged([foot, cup_part]))]


def jar(rng: Rng) -> list[Part]:
    """Build a storage jar with a domed lid."""
    reach, tall = float(rng.uniform(0.058, 0.07)), float(rng.uniform(0.13, 0.17))
    body = turned(
        [
            ((0, 0), (reach * 0.8, 0)),
            (
                (reach * 0.8, 0),
                (reach * 0.98, 0.02),
                (reach, tall * 0.55),
                (reach * 0.9, tall * 0.85),
                (reach * 0.66, tall),
            ),
        ]
    )
    lid = turned(
        [
            (
                (reach * 0.72, tall),
                (reach * 0.74, tall + 0.006),
                (reach * 0.7, tall + 0.012),
                (reach * 0.35, tall + 0.026),
                (0.008, tall + 0.03),
                (0.007, tall + 0.036),
                (0.013, tall + 0.046),
                (0, tall + 0.054),
            )
        ]
    )
    return [Part(merged([body, lid]))]


def mortar(rng: Rng) -> list[Part]:
    """Build a mortar with its pestle."""
    reach = float(rng.uniform(0.062, 0.072))
    body = vessel(
        ((reach * 0.72, 0), (reach * 0.75, 0.012), (reach * 0.62, 0.024), (reach * 0.9, 0.06), (reach, 0.1)),
        0.013,
        0.02,
    )
    pestle = turned(
        [((0, 0), (0.016, 0.006), (0.018, 0.02), (0.0095, 0.06), (0.009, 0.12), (0.0125, 0.145), (0, 0.156))]
    )
    return [Part(merged([body, moved(rotated(rotated(pestle, "z", -32), "y", 25), (-0.028, 0.024, 0.0))]))]
