"""Colour of the light of a picture alone, where several estimates agree on it.

Each estimate is right under an assumption that some pictures break: that what is bright and least coloured is white,
that all edges together are grey (van de Weijer, Gevers and Gijsenij 2007), that high powers of all pixels are grey
(Finlayson and Trezzi 2004). Pictures are stated to be in white, warm, cool or mixed light only where they agree; the
thresholds are those at which photographs with a known light were all described rightly (docs/truth.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lumenmill_captioner.measure.dominant_colors import oklab
from lumenmill_captioner.measure.tone import Weights
from lumenmill_light.color import WHITE_TEMPERATURE_K, CorrelatedTemperature, correlated_temperature, luminance, mired

__all__ = ["PictureColor", "cast_word", "picture_color"]

Array = NDArray[np.float32]
Vector = NDArray[np.float64]

_WHITE_MIRED = mired(WHITE_TEMPERATURE_K)
# Pixels are used between these values; brighter ones are clipped, darker ones have no colour but noise.
_BRIGHTEST, _DARKEST = 0.95, 0.005
_MIN_PIXELS, _MIN_SIDE_PX = 50, 2
# The brightest pixels by rank of luminance, and of these the least coloured by rank of chroma.
_BRIGHT_RANK, _PALE_RANK = 85.0, 30.0
_MIDDLE_RANKS = (25.0, 75.0)
_POWER, _EDGE_SIGMA_PX = 6.0, 2.0
# Chroma in OKLab at lightness of 0.3 up to which a surface under the estimated light is grey.
_GREY_CHROMA = 0.025
# White light: estimates within these of white and of each other, off the black-body locus by no more than `_MAX_DUV`,
# and grey surfaces over at least these parts of the picture and of its bright part.
_WHITE_WITHIN, _AGREE_WITHIN, _MAX_DUV = 16.0, 35.0, 0.01
_MIN_GREY, _MIN_BRIGHT_GREY = 0.15, 0.4
# Only with this much grey is a temperature in kelvin near enough, and this often: of 46 views of photographed
# environments in which so much is grey, the temperature was within 300 K in three of four.
_MUCH_GREY, _MUCH_BRIGHT_GREY, _TEMPERATURE_CONFIDENCE = 0.4, 0.8, 0.74
# Warm and cool light: all estimates on one side of these, in mired, and grey in a part of what is bright.
_WARM_FROM, _WARM_MEAN_FROM, _COOL_TO, _CAST_MAX_DUV, _CAST_MIN_GREY = 170.0, 190.0, 125.0, 0.012, 0.25
# Mixed light: what is bright is warmer than the mean by this, and the mean cooler than this.
_MIXED_BY, _MIXED_MEAN_TO = 90.0, 115.0


@dataclass(frozen=True)
class PictureColor:
    """What a picture alone shows of the colour of its light. Fields are None where it is not clear.

    Attributes:
        temperature: correlated temperature; its confidence is `temperature_confidence`.
        cast_mired: 0 in white light, above 0 in warm and below 0 in cool light: an estimate of the distance from white.
        mix_mired: the distance between warm and cool light where both are in the picture.
    """

    temperature: CorrelatedTemperature | None = None
    temperature_confidence: float = 0.0
    cast_mired: float | None = None
    mix_mired: float | None = None


@dataclass(frozen=True)
class _Estimates:
    """Estimates of the light in mired, by assumption, with parts of the picture, 0 to 1, that are grey under it."""

    pale: CorrelatedTemperature
    powers: float
    edges: float
    mean: float
    bright_mean: float
    middle_pale: float
    geometric_mean: float
    grey_part: float
    bright_grey_part: float

    @property
    def pale_mired(self) -> float:
        return mired(self.pale.temperature_k)

    @property
    def all_mired(self) -> Vector:
        return np.array(
            [self.pale_mired, self.powers, self.mean, self.bright_mean, self.middle_pale, self.geometric_mean]
        )


def picture_color(linear: Array, weights: Weights) -> PictureColor:
    """Return what a picture alone shows of the colour of its light.

    Args:
        linear: (H, W, 3) linear values of the picture as shown, 0 to 1, of a picture that is not monochrome.
        weights: (H, W) opacity.
    """
    found = _estimates(linear, weights)
    if found is None:
        return PictureColor()
    if found.powers - found.mean >= _MIXED_BY and found.mean <= _MIXED_MEAN_TO:
        return PictureColor(mix_mired=found.powers - found.mean)
    if _is_white(found):
        sure = found.grey_part >= _MUCH_GREY and found.bright_grey_part >= _MUCH_BRIGHT_GREY
        return PictureColor(found.pale if sure else None, _TEMPERATURE_CONFIDENCE if sure else 0.0, cast_mired=0.0)
    if abs(found.pale.duv) > _CAST_MAX_DUV or found.bright_grey_part < _CAST_MIN_GREY:
        return PictureColor()
    every = found.all_mired
    is_warm = float(every.min()) >= _WARM_FROM and float(every.mean()) >= _WARM_MEAN_FROM
    if is_warm or float(every.max()) <= _COOL_TO:
        likely = np.mean([found.pale_mired, found.mean, found.middle_pale])
        return PictureColor(cast_mired=float(likely - _WHITE_MIRED))
    return PictureColor()


def cast_word(scores: Mapping[str, float]) -> str:
    """Return the colour of the light that the scores of a picture alone state.

    It is "neutral", "warm", "cool" or "mixed warm and cool"; empty where nothing is stated.
    """
    if "color_temperature_mix_mired" in scores:
        return "mixed warm and cool"
    if "color_cast_mired" not in scores:
        return ""
    cast = scores["color_cast_mired"]
    return "neutral" if cast == 0.0 else "warm" if cast > 0.0 else "cool"


def _is_white(found: _Estimates) -> bool:
    return (
        abs(found.pale_mired - _WHITE_MIRED) <= _WHITE_WITHIN
        and max(abs(found.powers - found.pale_mired), abs(found.edges - found.pale_mired)) <= _AGREE_WITHIN
        and abs(found.pale.duv) <= _MAX_DUV
        and found.grey_part >= _MIN_GREY
        and found.bright_grey_part >= _MIN_BRIGHT_GREY
    )


def _estimates(linear: Array, weights: Weights) -> _Estimates | None:
    values = linear.astype(np.float64)
    level = luminance(values)
    usable = (weights > 0.5) & (values.max(axis=-1) < _BRIGHTEST) & (level > _DARKEST)
    if int(usable.sum()) < _MIN_PIXELS or min(usable.shape) < _MIN_SIDE_PX:
        return None
    rgb, levels = values[usable], np.asarray(level[usable], np.float64)
    is_bright = levels >= np.percentile(levels, _BRIGHT_RANK)
    low, high = np.percentile(levels, _MIDDLE_RANKS)
    pale = _palest(rgb[is_bright])
    temperature = correlated_temperature(pale)
    if temperature is None:
        return None
    is_grey = _chroma(rgb / (pale / luminance(pale)), 0.3) < _GREY_CHROMA
    middle = (levels > low) & (levels < high)
    return _Estimates(
        pale=temperature,
        powers=_mired((rgb**_POWER).mean(axis=0) ** (1.0 / _POWER)),
        edges=_mired(_edges(values, usable)),
        mean=_mired(rgb.mean(axis=0)),
        bright_mean=_mired(rgb[is_bright].mean(axis=0)),
        middle_pale=_mired(_palest(rgb[middle] if middle.any() else rgb)),
        geometric_mean=_mired(np.exp(np.log(rgb + 1e-4).mean(axis=0))),
        grey_part=float(is_grey.mean()),
        bright_grey_part=float(is_grey[is_bright].mean()),
    )


def _palest(rgb: Vector) -> Vector:
    """Return the mean colour (3,) of the least coloured of some pixels (N, 3)."""
    chroma = _chroma(rgb, 0.5)
    return np.asarray(rgb[chroma <= np.percentile(chroma, _PALE_RANK)].mean(axis=0))


def _chroma(rgb: Vector, level: float) -> Vector:
    """Return the chroma (N,) in OKLab of colours (N, 3), all brought to one luminance."""
    lab = oklab(np.asarray(rgb / np.maximum(luminance(rgb)[:, None], 1e-6) * level, np.float32))
    return np.hypot(lab[:, 1], lab[:, 2])


def _edges(values: Vector, usable: NDArray[np.bool_]) -> Vector:
    """Return the mean (3,) of gradients by the same power as of values: the grey-edge assumption."""
    smooth = [ndimage.gaussian_filter(values[..., channel], _EDGE_SIGMA_PX) for channel in range(3)]
    steep = np.stack([np.hypot(*np.gradient(channel))[usable] for channel in smooth], axis=-1)
    return np.asarray((steep**_POWER).mean(axis=0) ** (1.0 / _POWER))


def _mired(rgb: Vector) -> float:
    found = correlated_temperature(np.maximum(rgb, 1e-9))
    return _WHITE_MIRED if found is None else mired(found.temperature_k)
