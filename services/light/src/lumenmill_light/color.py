"""Colours of light: temperature ↔ chromaticity ↔ linear Rec. 709, after light.proto.

A temperature is a black body below 4000 K and CIE daylight from there on; 6504 K is the white of Rec. 709.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lumenmill.common.v1 import light_pb2

__all__ = [
    "LUMINANCE",
    "MAX_TEMPERATURE_K",
    "MAX_WHITE_DUV",
    "MIN_TEMPERATURE_K",
    "RGB_FROM_XYZ",
    "WHITE_TEMPERATURE_K",
    "XYZ_FROM_RGB",
    "Array",
    "CorrelatedTemperature",
    "correlated_temperature",
    "emitter_rgb",
    "luminance",
    "luminance_of_one",
    "mired",
    "temperature_of_white",
    "temperature_rgb",
    "temperature_xy",
]

Array = NDArray[np.float64]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Luminance of the channels of linear Rec. 709, (3,)."""
RGB_FROM_XYZ = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.969266, 1.8760108, 0.041556], [0.0556434, -0.2040259, 1.0572252]]
)
XYZ_FROM_RGB = np.linalg.inv(RGB_FROM_XYZ)
WHITE_TEMPERATURE_K = 6504.0
MIN_TEMPERATURE_K, MAX_TEMPERATURE_K = 1000.0, 25000.0

# Light further than this from the black-body locus, or redder than any lamp, is coloured rather than warm or cool (ANSI
# C78.377 ends at 0.006 for lamps that are sold as white; scenes are given more room).
MAX_WHITE_DUV, _MIN_WHITE_K = 0.02, 1500.0
_FIRST_DAYLIGHT_K = 4000.0


class CorrelatedTemperature(NamedTuple):
    """Temperature of the nearest black body in kelvin, and Duv: the signed distance from it in CIE 1960 (u, v).

    Duv is above 0 on the green side of the locus and below 0 on the pink side.
    """

    temperature_k: float
    duv: float

    @property
    def is_white(self) -> bool:
        """Whether a temperature describes the colour at all."""
        return abs(self.duv) <= MAX_WHITE_DUV and self.temperature_k >= _MIN_WHITE_K


def luminance(rgb: ArrayLike) -> NDArray[np.floating]:
    """Return luminance of linear Rec. 709, (..., 3) → (...)."""
    return np.asarray(np.asarray(rgb) @ LUMINANCE)


def luminance_of_one(rgb: Sequence[float]) -> float:
    """Return luminance of one linear Rec. 709 colour (3,), faster than through an array."""
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def mired(temperature_k: float) -> float:
    """Return a temperature in mired, 10⁶ / K, in which equal steps look equal."""
    return 1e6 / temperature_k


def temperature_xy(temperature_k: float) -> tuple[float, float]:
    """Return CIE 1931 chromaticity (x, y): black body below 4000 K, CIE daylight from there on."""
    return _daylight_xy(temperature_k) if temperature_k >= _FIRST_DAYLIGHT_K else _black_body_xy(temperature_k)


@lru_cache(maxsize=32768)
def temperature_rgb(temperature_k: float) -> Array:
    """Return linear Rec. 709 (3,), read-only, of luminance 1; channels outside Rec. 709 are clipped to 0."""
    x, y = temperature_xy(temperature_k)
    big_x, big_z = x / y, (1.0 - x - y) / y
    clipped = [max(a * big_x + b + c * big_z, 0.0) for a, b, c in _RGB_ROWS]
    rgb = np.array(clipped) / luminance_of_one(clipped)
    rgb.flags.writeable = False
    return rgb


def emitter_rgb(color: light_pb2.LightColor | None) -> Array:
    """Return linear Rec. 709 (3,), read-only, of luminance 1; None, an empty colour and black are white."""
    kind = None if color is None else color.WhichOneof("value")
    if color is None or kind is None:
        return _normalised(1.0, 1.0, 1.0)
    if kind == "temperature_k":
        return temperature_rgb(color.temperature_k)
    return _normalised(color.rgb.red, color.rgb.green, color.rgb.blue)


@lru_cache(maxsize=4096)
def _normalised(red: float, green: float, blue: float) -> Array:
    rgb = np.array([red, green, blue])
    level = float(rgb @ LUMINANCE)
    rgb = rgb / level if level > 0 else np.ones(3)
    rgb.flags.writeable = False
    return rgb


def correlated_temperature(rgb: Sequence[float] | Array) -> CorrelatedTemperature | None:
    """Return the correlated temperature of a linear Rec. 709 colour (3,), 1000 K to 25000 K; None for black.

    Isotherms of the black-body locus in CIE 1960 (u, v): Robertson, Journal of the Optical Society of America 58, 1968.
    """
    red, green, blue = rgb
    x, y, z = [a * red + b * green + c * blue for a, b, c in _XYZ_ROWS]
    total = x + 15.0 * y + 3.0 * z
    if y <= 0.0 or total <= 0.0:
        return None
    return _nearest_black_body(float(4.0 * x / total), float(6.0 * y / total))


def temperature_of_white(rgb: Sequence[float] | Array) -> float | None:
    """Return the correlated temperature in kelvin of some white; None for coloured light and for black."""
    found = correlated_temperature(rgb)
    return found.temperature_k if found is not None and found.is_white else None


_XYZ_ROWS, _RGB_ROWS = XYZ_FROM_RGB.tolist(), RGB_FROM_XYZ.tolist()


def _daylight_xy(temperature_k: float) -> tuple[float, float]:
    """CIE 15:2004, daylight locus."""
    t = 1000.0 / temperature_k
    if temperature_k <= 7000:
        x = -4.6070 * t**3 + 2.9678 * t**2 + 0.09911 * t + 0.244063
    else:
        x = -2.0064 * t**3 + 1.9018 * t**2 + 0.24748 * t + 0.237040
    return x, -3.0 * x * x + 2.870 * x - 0.275


@cache
def _observer() -> tuple[Array, ...]:
    """Wavelengths in nm, their power −5, and the CIE 1931 observer in three rows.

    Multi-lobe fit of Wyman, Sloan and Shirley (JCGT 2013).
    """
    nm = np.arange(380.0, 781.0, 2.0)

    def lobe(peak: float, below: float, above: float) -> Array:
        return np.asarray(np.exp(-0.5 * ((nm - peak) * np.where(nm < peak, below, above)) ** 2))

    x_bar = (
        0.362 * lobe(442.0, 0.0624, 0.0374) + 1.056 * lobe(599.8, 0.0264, 0.0323) - 0.065 * lobe(501.1, 0.0490, 0.0382)
    )
    y_bar = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z_bar = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    return nm, nm**-5, x_bar, y_bar, z_bar


def _black_body_xy(temperature_k: float) -> tuple[float, float]:
    """Planck's law against the CIE 1931 observer."""
    nm, power, *bars = _observer()
    radiance = power / np.expm1(1.4388e7 / (nm * temperature_k))
    x, y, z = (float((radiance * bar).sum()) for bar in bars)
    return x / (x + y + z), y / (x + y + z)


def _uv(xy: tuple[float, float]) -> tuple[float, float]:
    x, y = xy
    scale = -2.0 * x + 12.0 * y + 3.0
    return 4.0 * x / scale, 6.0 * y / scale


@cache
def _isotherms() -> list[tuple[float, float, float, float, float]]:
    """Mired from 40 to 1000 in steps of 8, each with the locus (u, v) there and its unit tangent."""
    mireds = np.arange(1e6 / MAX_TEMPERATURE_K, 1e6 / MIN_TEMPERATURE_K + 1.0, 8.0)
    points = np.array([_uv(_black_body_xy(1e6 / value)) for value in mireds])
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    return [(m, u, v, du, dv) for m, u, v, du, dv in np.column_stack([mireds, points, tangents]).tolist()]


def _nearest_black_body(u: float, v: float) -> CorrelatedTemperature:
    isotherms = _isotherms()

    def before(isotherm: tuple[float, float, float, float, float]) -> float:
        """How far the colour lies on the cooler side of an isotherm."""
        _, u0, v0, du, dv = isotherm
        return (u0 - u) * du + (v0 - v) * dv

    index = bisect_left(isotherms, 0.0, 1, len(isotherms) - 1, key=before)
    cooler, warmer = isotherms[index - 1], isotherms[index]
    ahead, behind = before(cooler), before(warmer)
    share = min(max(ahead / (ahead - behind), 0.0), 1.0) if ahead != behind else 0.0
    (mired0, u0, v0, *_), (mired1, u1, v1, *_) = cooler, warmer
    du, dv = u - (u0 + (u1 - u0) * share), v - (v0 + (v1 - v0) * share)
    duv = math.copysign(math.sqrt(du * du + dv * dv), dv)
    return CorrelatedTemperature(1e6 / (mired0 + (mired1 - mired0) * share), duv)
