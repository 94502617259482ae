"""Colour of emitters: from kelvin or chromaticity to linear Rec. 709 of luminance 1."""

from __future__ import annotations

import numpy as np
from lumenmill.common.v1.light_pb2 import LightColor
from numpy.typing import NDArray

Array = NDArray[np.float64]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_XYZ_TO_RGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.969266, 1.8760108, 0.041556], [0.0556434, -0.2040259, 1.0572252]]
)
_RGB_TO_XYZ = np.linalg.inv(_XYZ_TO_RGB)


def emitter_rgb(color: LightColor | None) -> Array:
    """Linear Rec. 709 colour (3,) of luminance 1; ``None`` or an empty colour is white (6504 K)."""
    if color is None or color.WhichOneof("value") is None:
        return np.ones(3)
    if color.WhichOneof("value") == "temperature_k":
        return temperature_rgb(color.temperature_k)
    rgb = np.array([color.rgb.red, color.rgb.green, color.rgb.blue])
    luminance = float(rgb @ LUMINANCE)
    return rgb / luminance if luminance > 0 else np.ones(3)


def temperature_rgb(temperature_k: float) -> Array:
    """Black body below 4000 K, CIE daylight above, as linear Rec. 709 (3,) of luminance 1; negative channels are
    cut."""
    x, y = _daylight_xy(temperature_k) if temperature_k >= 4000 else _planck_xy(temperature_k)
    rgb = np.clip(_XYZ_TO_RGB @ np.array([x / y, 1.0, (1 - x - y) / y]), 0, None)
    return np.asarray(rgb / (rgb @ LUMINANCE))


def correlated_temperature_k(rgb: Array) -> float | None:
    """Correlated colour temperature by McCamy (1992); ``None`` for black or colours far from white."""
    xyz = _RGB_TO_XYZ @ np.asarray(rgb, float)
    total = float(xyz.sum())
    if total <= 0:
        return None
    x, y = float(xyz[0]) / total, float(xyz[1]) / total
    if abs(0.1858 - y) < 1e-3:
        return None
    n = (x - 0.3320) / (0.1858 - y)
    kelvin = 449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33
    return kelvin if 1500 <= kelvin <= 20000 else None


def _daylight_xy(kelvin: float) -> tuple[float, float]:
    """CIE 15:2004, daylight locus."""
    t = 1000.0 / kelvin
    if kelvin <= 7000:
        x = -4.6070 * t**3 + 2.9678 * t**2 + 0.09911 * t + 0.244063
    else:
        x = -2.0064 * t**3 + 1.9018 * t**2 + 0.24748 * t + 0.237040
    return x, -3.0 * x * x + 2.870 * x - 0.275


def _planck_xy(kelvin: float) -> tuple[float, float]:
    """Planck's law against the CIE 1931 observer in the multi-lobe fit of Wyman, Sloan and Shirley (JCGT 2013)."""
    nm = np.arange(380.0, 781.0, 2.0)

    def lobe(peak: float, below: float, above: float) -> Array:
        return np.asarray(np.exp(-0.5 * ((nm - peak) * np.where(nm < peak, below, above)) ** 2))

    x_bar = (
        0.362 * lobe(442.0, 0.0624, 0.0374) + 1.056 * lobe(599.8, 0.0264, 0.0323) - 0.065 * lobe(501.1, 0.0490, 0.0382)
    )
    y_bar = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z_bar = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    radiance = nm**-5 / np.expm1(1.4388e7 / (nm * kelvin))
    xyz = np.array([float((radiance * bar).sum()) for bar in (x_bar, y_bar, z_bar)])
    return float(xyz[0] / xyz.sum()), float(xyz[1] / xyz.sum())
