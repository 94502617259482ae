"""Convert linear radiance to display pixels: exposure, and a filmic curve whose highlights desaturate gently."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NAME", "DisplayTransform", "Gains", "Image", "auto_exposure_ev", "srgb_encoded", "tone_mapped"]

Image = NDArray[np.float32]
Gains = tuple[float, float, float]

NAME = "lumenmill-filmic"
_LUMINANCE = (np.float32(0.2126), np.float32(0.7152), np.float32(0.0722))
_MID_GREY = 0.18
# Fraction of luminance mixed into each channel before the curve, so that saturated highlights desaturate as on film.
_BLEACH = 0.1
_STOPS_BELOW, _STOPS_ABOVE = 9.0, 5.2
_SLOPE, _TOE, _SHOULDER = 2.75, 1.9, 2.6


@dataclass(frozen=True)
class DisplayTransform:
    """How linear radiance is shown.

    Attributes:
        exposure_ev: exposure in stops.
        gains: factors of red, green and blue that make white, of luminance 1; none where white is 6504 K.
    """

    exposure_ev: float
    gains: Gains | None = None

    def pixels(self, linear_hw3: Image) -> NDArray[np.uint8]:
        """Return the sRGB pixels (H, W, 3) of linear radiance."""
        return tone_mapped(_balanced(linear_hw3, self.gains), self.exposure_ev)


def auto_exposure_ev(linear_hw3: Image, gains: Gains | None = None) -> float:
    """Return the exposure in stops that brings the middle of a picture to mid grey and clips only a small part of it.

    Black pixels do not count. The middle is the mean of the log-average and the 60th percentile in stops. ``gains`` are
    those of white balance.
    """
    luminance = _luminance(np.maximum(_balanced(linear_hw3, gains), 0)).ravel()
    lit = luminance[luminance > max(1e-7, float(luminance.max()) * 1e-5)]
    if lit.size == 0:
        return 0.0
    stops = np.log2(lit)
    middle = 0.5 * float(stops.mean()) + 0.5 * float(np.percentile(stops, 60))
    centred = np.log2(_MID_GREY * 1.5) - middle
    ceiling = np.log2(4.2) - float(np.percentile(stops, 98.5))
    return round(float(min(centred, ceiling)), 3)


def tone_mapped(linear_hw3: Image, exposure_ev: float) -> NDArray[np.uint8]:
    """Return the sRGB pixels (H, W, 3) of linear radiance under an exposure in stops."""
    exposed = np.maximum(linear_hw3, 0).astype(np.float32) * np.float32(2.0**exposure_ev)
    mixed = (1 - _BLEACH) * exposed + _BLEACH * _luminance(exposed)[..., None]
    shown = _curve(np.log2(np.maximum(mixed, 1e-9) / _MID_GREY))
    grey = _luminance(shown)[..., None]
    restored = np.clip(grey + (shown - grey) * 1.16, 0, 1)
    return np.asarray(np.round(restored * 255), np.uint8)


def _balanced(linear_hw3: Image, gains: Gains | None) -> Image:
    return linear_hw3 if gains is None else np.asarray(linear_hw3 * np.array(gains, np.float32), np.float32)


def _luminance(rgb_hw3: Image) -> Image:
    """Return Rec. 709 luminance (H, W).

    It is a sum in fixed order: matrix products round differently on different machines, which would change files.
    """
    red, green, blue = _LUMINANCE
    return np.asarray(rgb_hw3[..., 0] * red + rgb_hw3[..., 1] * green + rgb_hw3[..., 2] * blue, np.float32)


def _curve(stops: Image) -> Image:
    """Return display values (gamma-encoded, 0 to 1) of stops relative to mid grey: a sigmoid with toe and shoulder."""
    t = np.asarray(stops / np.where(stops < 0, _STOPS_BELOW, _STOPS_ABOVE), np.float32)
    middle = 0.46
    below = middle * (1 - _sigmoid(-t, _SLOPE * _STOPS_BELOW / 22.0 / middle, _TOE))
    above = middle + (1 - middle) * _sigmoid(t, _SLOPE * _STOPS_ABOVE / 22.0 / (1 - middle), _SHOULDER)
    return np.asarray(np.clip(np.where(stops < 0, below, above), 0, 1), np.float32)


def _sigmoid(t: Image, slope: float, power: float) -> Image:
    x = np.maximum(t, 0) * slope
    scale = (1 + slope**power) ** (1 / power) / slope
    return np.asarray(np.minimum(x / (1 + x**power) ** (1 / power) * scale, 1), np.float32)


def srgb_encoded(linear: Image) -> Image:
    """Return values of 0 to 1 encoded by the transfer function of IEC 61966-2-1."""
    clipped = np.clip(linear, 0, 1)
    return np.asarray(np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055), np.float32)
