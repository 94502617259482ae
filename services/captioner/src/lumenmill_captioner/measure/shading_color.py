"""Colour of the light from shading, of surfaces whose own colour is known."""

from dataclasses import dataclass

import numpy as np

from lumenmill_captioner.measure.confidence import temperature_confidence, temperature_features
from lumenmill_captioner.measure.direction import Key
from lumenmill_captioner.measure.evidence import Surface
from lumenmill_light.axes import Vector
from lumenmill_light.color import CorrelatedTemperature, correlated_temperature, luminance, mired

__all__ = ["ShadingColor", "ShadingEstimates", "key_color", "shading_color", "shading_estimates"]

_MIN_PIXELS = 50
# The key lights the brighter part of the surfaces, from this rank of luminance.
_BRIGHT_RANK = 75.0
# A second colour of light is stated when it lights the darker part and differs by this.
_MIN_MIX_MIRED = 60.0
_DARK_RANK = 10.0
_UNKNOWN_K = 5000.0
# Surfaces darker than this part of the brightest ones show noise.
_MIN_LEVEL = 0.03
# As `lumenmill_captioner.measure.source_search`, whose fit this repeats for each channel.
_NOISE, _RELATIVE_NOISE = 0.06, 0.12


@dataclass(frozen=True)
class ShadingEstimates:
    """Colour of the brighter part of shading, and how far other estimates are from it.

    Attributes:
        color: of the brighter part.
        spread_k: difference of the temperatures of the mean, the median and the brighter part.
        key_apart_k: difference of the temperature of what the key alone gives; large where that is not known.
        mix_mired: distance of the darker part.
    """

    color: CorrelatedTemperature
    spread_k: float
    key_apart_k: float
    mix_mired: float


@dataclass(frozen=True)
class ShadingColor:
    """Colour of the light, its calibrated confidence, and the distance between two colours of light.

    `mix_mired` is None where the darker part of the surfaces has about the same colour.
    """

    color: CorrelatedTemperature
    confidence: float
    mix_mired: float | None


def shading_color(shading: Vector, key_rgb: Vector | None = None) -> ShadingColor | None:
    """Return the colour of the light, or None where too few surfaces show it; arguments as `shading_estimates`."""
    found = shading_estimates(shading, key_rgb)
    if found is None:
        return None
    confidence = temperature_confidence(temperature_features(found.spread_k, found.key_apart_k))
    return ShadingColor(found.color, confidence, found.mix_mired if found.mix_mired >= _MIN_MIX_MIRED else None)


def shading_estimates(shading: Vector, key_rgb: Vector | None = None) -> ShadingEstimates | None:
    """Return estimates of the colour of the light, or None where too few surfaces show it.

    Args:
        shading: (N, 3) irradiance / π, NaN in channels in which it is unknown.
        key_rgb: (3,) colour of what the key alone gives, where it is known.
    """
    known = shading[np.isfinite(shading).all(axis=-1)]
    level = luminance(known)
    known = known[level > _MIN_LEVEL * (np.percentile(level, 95.0) if len(level) else 0.0)]
    if len(known) < _MIN_PIXELS:
        return None
    level = luminance(known)
    bright = known[level >= np.percentile(level, _BRIGHT_RANK)].mean(axis=0)
    dark = known[level <= np.percentile(level, _DARK_RANK)].mean(axis=0)
    color = correlated_temperature(bright)
    if color is None:
        return None
    others = [_temperature_k(rgb) for rgb in (known.mean(axis=0), np.median(known, axis=0))]
    key_k = _temperature_k(key_rgb) if key_rgb is not None else None
    return ShadingEstimates(
        color=color,
        spread_k=max(*others, color.temperature_k) - min(*others, color.temperature_k),
        key_apart_k=_UNKNOWN_K if key_k is None else abs(key_k - color.temperature_k),
        mix_mired=abs(mired(_temperature_k(dark)) - mired(color.temperature_k)),
    )


def key_color(key: Key, surface: Surface) -> Vector | None:
    """Return the colour (3,) of what the key alone gives surfaces, by least squares; None where it is not known."""
    if key.found is None:
        return None
    found, samples = key.found
    position = np.searchsorted(surface.pixels, samples.pixels)
    rgb = surface.shading[position]
    known = np.isfinite(rgb).all(axis=-1)
    if int(known.sum()) < _MIN_PIXELS:
        return None
    lit = found.lit * found.is_lit
    design = np.stack([np.ones(len(lit)), samples.normals_up.astype(np.float64), lit], axis=-1)
    precision = 1.0 / (_NOISE + _RELATIVE_NOISE * samples.shading.astype(np.float64))
    solved, *_ = np.linalg.lstsq(
        design[known] * precision[known, None], rgb[known] * precision[known, None], rcond=None
    )
    return np.maximum(solved[2], 0.0) if float(solved[2].max()) > 0.0 else None


def _temperature_k(rgb: Vector) -> float:
    found = correlated_temperature(rgb)
    return found.temperature_k if found is not None and found.is_white else _UNKNOWN_K * 2.0
