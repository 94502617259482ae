"""Tone and colour of the picture as it is shown: exposure, clipping, contrast, sharpness, dominant colours."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import cluster, ndimage

from lumenmill_captioner.measure.color_names import color_name
from lumenmill_light.color import luminance

__all__ = [
    "MID_GREY",
    "Dominant",
    "brightness_ev",
    "colorfulness",
    "dominant_colors",
    "log_average",
    "oklab",
    "percentile_contrast_ev",
    "shades_of_grey",
    "sharpness",
]

Array = NDArray[np.float32]

MID_GREY = 0.18
_NUM_CLUSTERS = 6
_SAME_COLOR_DISTANCE = 0.06


def log_average(values: NDArray[np.floating], weights: Array | None = None) -> float:
    """Return the geometric mean luminance, with 10⁻⁴ added (Reinhard et al., SIGGRAPH 2002)."""
    return float(np.exp(np.average(np.log(np.maximum(values, 0.0) + 1e-4), weights=weights)))


def brightness_ev(values: NDArray[np.floating], weights: Array | None = None) -> float:
    """Return log-average luminance in stops from mid grey (0.18)."""
    return math.log2(log_average(values, weights) / MID_GREY)


def percentile_contrast_ev(values: NDArray[np.floating]) -> float:
    """Return stops between the 95th and the 5th percentile of luminance, with 10⁻³ added."""
    low, high = np.percentile(values, (5.0, 95.0))
    return math.log2((float(high) + 1e-3) / (float(low) + 1e-3))


def sharpness(display: Array) -> float:
    """Return the standard deviation of the Laplacian of sRGB luma, 1 is white (Pech-Pacheco et al., ICPR 2000)."""
    return float(ndimage.laplace(luminance(display)).std())


def colorfulness(display: Array) -> float:
    """Return M³ of Hasler and Süsstrunk (SPIE 5007, 2003) on sRGB 0 to 255: 0 is grey, 109 extreme."""
    red, green, blue = (display[..., c] * 255.0 for c in range(3))
    rg, yb = red - green, 0.5 * (red + green) - blue
    return float(math.hypot(rg.std(), yb.std()) + 0.3 * math.hypot(rg.mean(), yb.mean()))


@dataclass(frozen=True)
class Dominant:
    """One dominant colour: sRGB hex, plain name, and its part of the picture."""

    hex: str
    name: str
    fraction: float


def oklab(linear: Array) -> NDArray[np.float64]:
    """Return OKLab of linear Rec. 709 (Ottosson, 2020), (..., 3)."""
    lms = np.asarray(linear, np.float64) @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.asarray(
        np.cbrt(lms)
        @ np.array(
            [
                [0.2104542553, 1.9779984951, 0.0259040371],
                [0.7936177850, -2.4285922050, 0.7827717662],
                [-0.0040720468, 0.4505937099, -0.8086757660],
            ]
        )
    )


def dominant_colors(display: Array, linear: Array) -> list[Dominant]:
    """Return up to six dominant colours, the most frequent first: k-means in OKLab, similar ones merged."""
    pixels = oklab(np.clip(linear, 0.0, 1.0)).reshape(-1, 3)
    shown = display.reshape(-1, 3)
    step = max(1, len(pixels) // 8000)
    pixels, shown = pixels[::step], shown[::step]
    unique = len(np.unique(pixels.round(3), axis=0))
    _, labels = cluster.vq.kmeans2(pixels, min(_NUM_CLUSTERS, unique), iter=12, minit="++", seed=0)
    groups: list[tuple[NDArray[np.float64], Array, int]] = []
    for label in np.unique(labels):
        members = labels == label
        groups.append((pixels[members].mean(axis=0), shown[members].mean(axis=0), int(members.sum())))
    groups.sort(key=lambda group: -group[2])
    merged: list[tuple[NDArray[np.float64], Array, int]] = []
    for lab, rgb, count in groups:
        near = next(
            (i for i, entry in enumerate(merged) if np.linalg.norm(entry[0] - lab) < _SAME_COLOR_DISTANCE), None
        )
        if near is None:
            merged.append((lab, rgb, count))
        else:
            merged[near] = (merged[near][0], merged[near][1], merged[near][2] + count)
    merged.sort(key=lambda group: -group[2])
    return [
        Dominant("#" + "".join(f"{round(float(c) * 255):02x}" for c in rgb), color_name(lab), count / len(pixels))
        for lab, rgb, count in merged
    ]


def shades_of_grey(linear: Array, weights: Array) -> NDArray[np.float64]:
    """Return the colour of the light by the shades-of-grey assumption, p = 6 (Finlayson and Trezzi, CIC 2004), (3,)."""
    usable = weights * (linear.max(axis=-1) < 0.98)
    total = float(usable.sum())
    if total <= 0.0:
        usable, total = weights, float(weights.sum()) or 1.0
    powers = (np.asarray(linear, np.float64) ** 6 * usable[..., None]).sum(axis=(0, 1)) / total
    return np.asarray(powers ** (1.0 / 6.0))
