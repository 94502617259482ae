"""Tone of the picture as it is shown: brightness, contrast, sharpness, colourfulness.

Every statistic is weighted by the opacity of the pixels, so that what lies under transparency counts for nothing.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lumenmill_light.color import luminance

__all__ = [
    "MID_GREY",
    "brightness_ev",
    "colorfulness",
    "log_average",
    "percentile_contrast_ev",
    "percentiles",
    "sharpness",
]

Array = NDArray[np.float32]
Weights = NDArray[np.floating]

MID_GREY = 0.18


def log_average(values: NDArray[np.floating], weights: Weights | None = None) -> float:
    """Return the geometric mean luminance, with 10⁻⁴ added (Reinhard et al., SIGGRAPH 2002)."""
    return float(np.exp(np.average(np.log(np.maximum(values, 0.0) + 1e-4), weights=weights)))


def brightness_ev(values: NDArray[np.floating], weights: Weights | None = None) -> float:
    """Return log-average luminance in stops from mid grey (0.18)."""
    return math.log2(log_average(values, weights) / MID_GREY)


def percentiles(values: NDArray[np.floating], weights: Weights, ranks: tuple[float, ...]) -> NDArray[np.float64]:
    """Return weighted percentiles, with ranks of 0 to 100, between which values are interpolated.

    With equal weights they are those of `numpy.percentile`.
    """
    kept = weights.reshape(-1) > 0.0
    flat, mass = values.reshape(-1)[kept], weights.reshape(-1)[kept].astype(np.float64)
    order = np.argsort(flat, kind="stable")
    middle = np.cumsum(mass[order]) - 0.5 * mass[order]
    span = float(middle[-1] - middle[0])
    positions = (middle - middle[0]) / span if span > 0.0 else np.zeros(len(middle))
    return np.asarray(np.interp(np.array(ranks) / 100.0, positions, flat[order].astype(np.float64)))


def percentile_contrast_ev(values: NDArray[np.floating], weights: Weights | None = None) -> float:
    """Return stops between the 95th and the 5th percentile of luminance, with 10⁻³ added."""
    low, high = percentiles(values, np.ones(values.shape) if weights is None else weights, (5.0, 95.0))
    return math.log2((float(high) + 1e-3) / (float(low) + 1e-3))


def sharpness(display: Array, weights: Weights) -> float:
    """Return the standard deviation of the Laplacian of sRGB luma, 1 is white (Pech-Pacheco et al., ICPR 2000).

    Only opaque pixels whose neighbours are opaque too count: the edge of a cut-out is none of the picture's.
    """
    inside = ndimage.binary_erosion(weights > 0.5, ndimage.generate_binary_structure(2, 1), border_value=1)
    return float(ndimage.laplace(luminance(display))[inside].std()) if inside.any() else 0.0


def colorfulness(display: Array, weights: Weights) -> float:
    """Return M³ of Hasler and Süsstrunk (SPIE 5007, 2003) on sRGB 0 to 255: 0 is grey, 109 extreme."""
    red, green, blue = (display[..., c] * 255.0 for c in range(3))
    opponents = (red - green, 0.5 * (red + green) - blue)
    means = [float(np.average(values, weights=weights)) for values in opponents]
    variances = [
        float(np.average((values - mean) ** 2, weights=weights)) for values, mean in zip(opponents, means, strict=True)
    ]
    return float(math.sqrt(sum(variances)) + 0.3 * math.hypot(*means))
