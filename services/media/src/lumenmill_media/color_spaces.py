"""Colours of other primaries and transfer functions as linear Rec. 709, the colour space of every measurement.

Primaries and transfer functions have the numbers of ITU-T H.273, by which clips (and PNG's cICP) name them.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "HDR_TRANSFERS",
    "PRIMARIES",
    "REC709",
    "REC709_FROM_XYZ",
    "TRANSFERS",
    "Chromaticities",
    "linear_to_srgb",
    "rec709_matrix",
    "roll_off",
    "srgb_to_linear",
]

Array = NDArray[np.float32]
Xy = tuple[float, float]

_D65 = (0.3127, 0.3290)
# Bradford's cone responses, after Lindbloom, "Chromatic Adaptation".
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# ITU-R BT.2408-7, section 2.2: diffuse white of HDR programmes, shown as the white of a display of standard range.
_REFERENCE_WHITE_NITS = 203.0
# Primaries outside of the spectrum, as of cameras and ACES, lie within 2.
_LARGEST_XY = 100.0
# Of values above this fraction of white, the differences are compressed.
_KNEE = 0.8
_VALUES_AT_ONCE = 1 << 20


class Chromaticities(NamedTuple):
    """CIE 1931 (x, y) of the three primaries and of white."""

    red: Xy
    green: Xy
    blue: Xy
    white: Xy


REC709 = Chromaticities((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)


def _to_xyz(chromaticities: Chromaticities) -> NDArray[np.float64]:
    """Return the matrix from RGB to XYZ in which (1, 1, 1) is white of luminance 1 (SMPTE RP 177)."""
    columns = np.stack([_xyz(xy) for xy in chromaticities[:3]], axis=-1)
    if abs(np.linalg.det(columns)) < 1e-6:
        raise ValueError("has invalid primaries: they lie on a line")
    return np.asarray(columns * np.linalg.solve(columns, _xyz(chromaticities.white)))


def _xyz(xy: Xy) -> NDArray[np.float64]:
    x, y = xy
    if not (abs(x) <= _LARGEST_XY and 1e-9 < abs(y) <= _LARGEST_XY):
        raise ValueError(f"has invalid primaries: x {x:.4g}, y {y:.4g}")
    return np.array([x / y, 1.0, (1.0 - x - y) / y])


REC709_FROM_XYZ: NDArray[np.float64] = np.asarray(np.linalg.inv(_to_xyz(REC709)), np.float64)
"""Matrix (3, 3) from CIE XYZ to linear Rec. 709; D65 is white."""

PRIMARIES: dict[int, Chromaticities] = {
    1: REC709,
    5: Chromaticities((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: Chromaticities((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), _D65),
    7: Chromaticities((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), _D65),
    9: Chromaticities((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), _D65),
    11: Chromaticities((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),
    12: Chromaticities((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), _D65),
}
"""Primaries by the number of H.273: BT.709, BT.601 (625 and 525 lines), SMPTE 240M, BT.2020, DCI-P3, Display P3."""


def srgb_to_linear(display: Array) -> Array:
    """Return linear values of sRGB values 0 to 1 (IEC 61966-2-1)."""
    linear = np.empty(display.shape, np.float32)
    flat, flat_linear = display.reshape(-1), linear.reshape(-1)
    # Some at a time: the intermediate values of a large picture would take gigabytes.
    for start in range(0, len(flat), _VALUES_AT_ONCE):
        part = flat[start : start + _VALUES_AT_ONCE]
        flat_linear[start : start + _VALUES_AT_ONCE] = np.where(
            part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4
        )
    return linear


def linear_to_srgb(linear: Array) -> Array:
    """Return sRGB values, clipped to 0 to 1, of linear values (IEC 61966-2-1)."""
    clipped = np.clip(linear, 0.0, 1.0)
    return np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055).astype(np.float32)


def roll_off(linear: Array) -> Array:
    """Return HDR colours (..., 3), of which 1 is diffuse white, within 0 to 1.

    Colours up to 0.8 stay as they are; brighter ones approach 1 exponentially, all three channels by one factor, so
    that hues stay. Negative values (colours outside Rec. 709) are clipped.
    """
    colors = np.maximum(linear, 0.0)
    peak = colors.max(axis=-1, keepdims=True)
    room = 1.0 - _KNEE
    shown = np.where(peak <= _KNEE, peak, 1.0 - room * np.exp(-(peak - _KNEE) / room))
    return np.asarray(colors * (shown / np.maximum(peak, 1e-9)), np.float32)


@lru_cache(maxsize=64)
def rec709_matrix(chromaticities: Chromaticities, *, keep_white: bool) -> NDArray[np.float64]:
    """Return the (3, 3) matrix from linear colours of these primaries to linear Rec. 709.

    With `keep_white`, equal channels stay equal channels (Bradford adaptation), as for pictures to be looked at.
    Without it the colour of the light stays: equal channels become light of the chromaticity of white.

    Raises:
        ValueError: the primaries span no colours, or white is not a colour.
    """
    to_xyz = _to_xyz(chromaticities)
    if not keep_white:
        return _constant(REC709_FROM_XYZ @ to_xyz)
    source, target = _BRADFORD @ _xyz(chromaticities.white), _BRADFORD @ _xyz(_D65)
    if not np.all(source > 1e-6):
        raise ValueError(f"has invalid primaries: white at {chromaticities.white}")
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(target / source) @ _BRADFORD
    return _constant(REC709_FROM_XYZ @ adapted @ to_xyz)


def _constant(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a matrix that callers, who share it, cannot change."""
    matrix.setflags(write=False)
    return matrix


def _gamma(exponent: float) -> Callable[[Array], Array]:
    return lambda signal: np.asarray(np.maximum(signal, 0.0) ** exponent, np.float32)


def _pq(signal: Array) -> Array:
    """SMPTE ST 2084 (BT.2100 table 4), as a fraction of diffuse white."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = np.clip(signal, 0.0, 1.0) ** (1 / m2)
    nits = 10000.0 * (np.maximum(power - c1, 0.0) / (c2 - c3 * power)) ** (1 / m1)
    return np.asarray(nits / _REFERENCE_WHITE_NITS, np.float32)


def _hlg(signal: Array) -> Array:
    """Hybrid log-gamma on a display of 1000 cd/m² (BT.2100 table 5, system gamma 1.2), as a fraction of diffuse white.

    The last axis holds the three channels of BT.2020, on whose luminance the display's gamma depends.
    """
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    clipped = np.clip(signal, 0.0, 1.0)
    scene = np.where(clipped <= 0.5, clipped**2 / 3.0, (np.exp((clipped - c) / a) + b) / 12.0)
    luminance = np.maximum(scene @ np.array([0.2627, 0.6780, 0.0593]), 1e-9)[..., None]
    return np.asarray(1000.0 * luminance**0.2 * scene / _REFERENCE_WHITE_NITS, np.float32)


def _linear(signal: Array) -> Array:
    return np.asarray(signal, np.float32)


HDR_TRANSFERS = frozenset({16, 18})
"""PQ and HLG: transfer functions of signals brighter than diffuse white."""

TRANSFERS: dict[int, Callable[[Array], Array]] = {
    1: srgb_to_linear,
    4: _gamma(2.2),
    5: _gamma(2.8),
    6: srgb_to_linear,
    7: srgb_to_linear,
    8: _linear,
    13: srgb_to_linear,
    14: srgb_to_linear,
    15: srgb_to_linear,
    16: _pq,
    18: _hlg,
}
"""Functions from signal values (..., 3), 0 to 1, to linear ones, of which 1 is diffuse white, by the number of H.273.

Signals of BT.709 and its family are shown as sRGB, as everywhere where clips and pictures are looked at side by side.
"""
