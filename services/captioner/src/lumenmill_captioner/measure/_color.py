"""Colours of light: temperature, distance from the black body, names."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Vector = NDArray[np.float64]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_XYZ_FROM_RGB = np.array(
    [[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]]
)

# Light further than this from the black-body locus, or redder than any lamp, is coloured rather than warm or cool (ANSI
# C78.377 ends at 0.006 for lamps that are sold as white; scenes are given more room).
MAX_WHITE_DUV = 0.02
MIN_WHITE_K = 1500.0


@dataclass(frozen=True)
class LightColor:
    """Correlated colour temperature in kelvin and signed distance from the black-body locus in CIE 1960 (u, v)."""

    temperature_k: float
    duv: float

    @property
    def is_white(self) -> bool:
        """Whether a temperature describes the colour at all."""
        return abs(self.duv) <= MAX_WHITE_DUV and self.temperature_k >= MIN_WHITE_K


def _locus_uv(temperature_k: NDArray[np.float64]) -> NDArray[np.float64]:
    """Black-body locus in CIE 1960 (u, v): Krystek, Color Research and Application 10, 1985."""
    t = temperature_k
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (1 + 8.42420235e-4 * t + 7.08145163e-7 * t**2)
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (1 - 2.89741816e-5 * t + 1.61456053e-7 * t**2)
    return np.stack([u, v], axis=-1)


# Even steps in mired, in which the eye sees even differences.
_TABLE_K = 1e6 / np.linspace(1e6 / 1000.0, 1e6 / 25000.0, 961)
_TABLE_UV = _locus_uv(_TABLE_K)


def color_of(rgb: Vector | Array) -> LightColor | None:
    """Return the temperature of a linear Rec. 709 colour, or None for black.

    Nearest point of the locus in CIE 1960 (u, v) by a table with parabolic interpolation, as in Ohno, Leukos 10, 2014.
    """
    x, y, z = _XYZ_FROM_RGB @ np.asarray(rgb, np.float64)
    if y <= 0.0 or x + 15.0 * y + 3.0 * z <= 0.0:
        return None
    uv = np.array([4.0 * x, 6.0 * y]) / (x + 15.0 * y + 3.0 * z)
    distances = np.hypot(*(_TABLE_UV - uv).T)
    best = int(np.clip(np.argmin(distances), 1, len(_TABLE_K) - 2))
    left, middle, right = distances[best - 1] ** 2, distances[best] ** 2, distances[best + 1] ** 2
    bend = left - 2.0 * middle + right
    shift = float(np.clip(0.5 * (left - right) / bend, -1.0, 1.0)) if bend > 0.0 else 0.0
    step_mired = 1e6 / _TABLE_K[best + 1] - 1e6 / _TABLE_K[best]
    temperature_k = float(1e6 / (1e6 / _TABLE_K[best] + shift * step_mired))
    nearest = _locus_uv(np.array(temperature_k))
    side = np.sign(uv[1] - nearest[1]) or 1.0
    return LightColor(temperature_k, float(side * np.hypot(*(uv - nearest))))


def mired(temperature_k: float) -> float:
    """Return a temperature in mired, 10⁶ / K."""
    return 1e6 / temperature_k


def rgb_of_temperature(temperature_k: float) -> Vector:
    """Return the linear Rec. 709 colour, luminance 1, of a black body below 4000 K and CIE daylight above.

    Chromaticities: Krystek 1985; CIE 15:2004. Channels outside of Rec. 709 are clipped to 0.
    """
    t = float(np.clip(temperature_k, 1000.0, 25000.0))
    if t < 4000.0:
        u, v = _locus_uv(np.array(t))
        x, y = 3.0 * u / (2.0 * u - 8.0 * v + 4.0), 2.0 * v / (2.0 * u - 8.0 * v + 4.0)
    else:
        cold = t > 7000.0
        k3, k2, k1, k0 = (-2.0064e9, 1.9018e6, 247.48, 0.23704) if cold else (-4.607e9, 2.9678e6, 99.11, 0.244063)
        x = k3 / t**3 + k2 / t**2 + k1 / t + k0
        y = (-3.0 * x + 2.87) * x - 0.275
    xyz = np.array([x / y, 1.0, (1.0 - x - y) / y])
    rgb = np.maximum(np.linalg.solve(_XYZ_FROM_RGB, xyz), 0.0)
    return np.asarray(rgb / (LUMINANCE @ rgb), np.float64)


def luminance(rgb: Array) -> Array:
    """Return luminance of linear Rec. 709, (..., 3) → (...)."""
    return np.asarray(rgb @ LUMINANCE, np.float32)
