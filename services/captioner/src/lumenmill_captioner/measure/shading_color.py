"""Colour of the key light from shading, of surfaces whose own colour is known.

Two estimates are compared. *Growth*: where the key adds light, shading grows in its colour, whatever the colour of the
light that is everywhere; the growth of red and blue with green is a slope. *Bright*: the brighter part of the surfaces
has the colour of the key, tinged by all other light. Both leave out what surfaces reflect onto each other
(`lumenmill_captioner.measure.reflected`), and rest on surfaces that mirror little in a colour other than their own:
divided by a coloured albedo, white gloss looks like light of the opposite colour.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumenmill_captioner.measure.confidence import temperature_confidence, temperature_features
from lumenmill_captioner.measure.evidence import Evidence, Surface
from lumenmill_captioner.measure.orientation import spread_over_orientations
from lumenmill_captioner.measure.reflected import cosines_to_camera, gloss_of, reflected_shading
from lumenmill_captioner.measure.relief import Relief
from lumenmill_light.axes import Vector
from lumenmill_light.color import CorrelatedTemperature, correlated_temperature, luminance, mired

__all__ = ["ColorEstimates", "ColorSamples", "ShadingColor", "color_estimates", "color_samples", "shading_color"]

_NUM_SAMPLES, _MIN_SAMPLES = 900, 50
# The brighter part, and the two with which it is compared, from these ranks of luminance.
_BRIGHT_RANK, _COMPARED_RANKS = 75.0, (50.0, 90.0)
# Estimates that are this near count half each; of others the growth is taken.
_NEAR_MIRED = 30.0
# A second colour of light is stated when it lights the darker part and differs by this.
_MIN_MIX_MIRED, _DARK_RANK = 60.0, 10.0
_UNKNOWN_K = 10000.0
# Surfaces darker than this part of the brightest ones show noise.
_MIN_LEVEL = 0.03
# Standard deviation of shading, over the 95th percentile of its luminance: this much, and this much of its value.
_NOISE, _RELATIVE_NOISE = 0.1, 0.15
# Trust is 1 / (this + gloss), the part by which white gloss changes the colour of the surface; gloss counts up to here.
_LEAST_GLOSS, _MOST_GLOSS = 0.02, 9.0
_NUM_ROUNDS, _OUTLIER = 8, 1.5
_LEAST_ALBEDO = 0.01


@dataclass(frozen=True)
class ColorSamples:
    """Sampled surfaces: shading (N, 3), what of it is no reflection (N, 3), normals (N, 3) in the level frame.

    trust: (N,) weight of a surface, the smaller the more its gloss would change the colour of the light.
    """

    shading: Vector
    direct: Vector
    normals: Vector
    trust: Vector


@dataclass(frozen=True)
class ColorEstimates:
    """Colour of the key, and how far estimates are apart.

    Attributes:
        color: of the key.
        apart_k: difference of the temperatures of growth and bright part.
        bright_spread_k: difference of the temperatures of a smaller and a larger bright part.
        mix_mired: distance of the darker part of shading from the brighter one.
    """

    color: CorrelatedTemperature
    apart_k: float
    bright_spread_k: float
    mix_mired: float

    @property
    def spreads_k(self) -> tuple[float, float]:
        """How far estimates are apart, on which the confidence depends."""
        return self.apart_k, self.bright_spread_k


@dataclass(frozen=True)
class ShadingColor:
    """Colour of the light, its calibrated confidence, and the distance between two colours of light.

    `mix_mired` is None where the darker part of the surfaces has about the same colour.
    """

    color: CorrelatedTemperature
    confidence: float
    mix_mired: float | None


def shading_color(samples: ColorSamples | None) -> ShadingColor | None:
    """Return the colour of the key, or None where too few surfaces show it."""
    found = color_estimates(samples) if samples is not None else None
    if found is None:
        return None
    confidence = temperature_confidence(temperature_features(found.spreads_k, found.color.temperature_k))
    return ShadingColor(found.color, confidence, found.mix_mired if found.mix_mired >= _MIN_MIX_MIRED else None)


def color_samples(evidence: Evidence, surface: Surface | None, relief: Relief | None) -> ColorSamples | None:
    """Return surfaces that show the colour of their light; None where fewer than 50 do.

    Without depth reflected light is not known, and surfaces are taken to be seen head on.
    """
    if evidence.shading is None:
        return None
    shading = evidence.shading.reshape(-1, 3).astype(np.float64)
    pixels = surface.pixels if surface else np.flatnonzero(evidence.weight.reshape(-1) > 0.5)
    pixels = pixels[_is_lit(shading[pixels])]
    if len(pixels) < _MIN_SAMPLES:
        return None
    normals = np.zeros((len(pixels), 3))
    if surface is not None:
        normals = surface.normals[np.searchsorted(surface.pixels, pixels)]
    picked = spread_over_orientations(normals, _NUM_SAMPLES)
    pixels, normals = pixels[picked], normals[picked]
    in_camera, cosines, reflected = normals @ evidence.camera_axes.T, np.ones(len(pixels)), np.zeros(3)
    if relief is not None:
        points = relief.positions.reshape(-1, 3)[pixels]
        cosines = cosines_to_camera(points, in_camera)
        reflected = reflected_shading(relief, evidence.linear, points, in_camera)
    return ColorSamples(
        shading=shading[pixels],
        direct=shading[pixels] - reflected,
        normals=normals,
        trust=_trust(evidence, pixels, cosines),
    )


def _is_lit(shading: Vector) -> NDArray[np.bool_]:
    known = np.isfinite(shading).all(axis=-1)
    level = np.where(known, luminance(np.nan_to_num(shading)), 0.0)
    bright = float(np.percentile(level[known], 95.0)) if known.any() else 0.0
    return np.asarray(known & (level > _MIN_LEVEL * bright))


def _trust(evidence: Evidence, pixels: NDArray[np.int64], cosines: Vector) -> Vector:
    if evidence.albedo is None:
        return np.ones(len(pixels))
    albedo = np.maximum(evidence.albedo.reshape(-1, 3)[pixels].astype(np.float64), _LEAST_ALBEDO)
    saturation = albedo.max(axis=-1) / albedo.min(axis=-1) - 1.0
    return np.asarray(1.0 / (_LEAST_GLOSS + np.minimum(gloss_of(evidence, pixels, cosines) * saturation, _MOST_GLOSS)))


def color_estimates(samples: ColorSamples) -> ColorEstimates | None:
    """Return estimates of the colour of the key; None where its surfaces are black."""
    bright = _bright(samples, _BRIGHT_RANK)
    color = correlated_temperature(bright)
    if color is None:
        return None
    growth = _growth(samples)
    growth_k, bright_k = _temperature_k(growth), color.temperature_k
    is_near = abs(mired(growth_k) - mired(bright_k)) < _NEAR_MIRED
    both = growth / luminance(growth) + bright / luminance(bright) if is_near else growth
    found = correlated_temperature(both)
    low_k, high_k = (_temperature_k(_bright(samples, rank)) for rank in _COMPARED_RANKS)
    level = luminance(samples.shading)
    dark = samples.shading[level <= np.percentile(level, _DARK_RANK)].mean(axis=0)
    return ColorEstimates(
        color=found if found is not None and found.is_white else color,
        apart_k=abs(growth_k - bright_k),
        bright_spread_k=abs(high_k - low_k),
        mix_mired=abs(mired(_temperature_k(dark)) - mired(bright_k)),
    )


def _bright(samples: ColorSamples, rank: float) -> Vector:
    """Return the mean colour (3,) of surfaces from a rank of luminance on, of those of most trust."""
    level = luminance(samples.direct)
    kept = level >= np.percentile(level, rank)
    return np.maximum(np.average(samples.direct[kept], axis=0, weights=samples.trust[kept] ** 2), 0.0)


def _growth(samples: ColorSamples) -> Vector:
    """Return how shading grows with its green, (3,), beside an even part and one that comes from above.

    Least squares, robust by Huber's weights.
    """
    shading, trust = samples.direct, samples.trust
    level = np.maximum(luminance(shading), 0.0)
    high = max(float(np.percentile(level, 95.0)), 1e-9)
    deviation = _NOISE * high + _RELATIVE_NOISE * level
    design = np.stack([shading[:, 1], np.ones(len(level)), samples.normals[:, 1]], axis=1)
    slopes = np.ones(3)
    for channel in (0, 2):
        weights = np.ones(len(level))
        for _ in range(_NUM_ROUNDS):
            roots = np.sqrt(weights * trust) / deviation
            solved, *_ = np.linalg.lstsq(design * roots[:, None], shading[:, channel] * roots, rcond=None)
            residual = np.abs(shading[:, channel] - design @ solved) / deviation
            scale = 1.48 * float(np.median(residual)) + 1e-9
            weights = 1.0 / np.maximum(residual / (_OUTLIER * scale), 1.0)
        slopes[channel] = max(float(solved[0]), 0.0)
    return slopes


def _temperature_k(rgb: Vector) -> float:
    found = correlated_temperature(rgb)
    return found.temperature_k if found is not None and found.is_white else _UNKNOWN_K
