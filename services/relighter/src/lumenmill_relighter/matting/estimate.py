"""The matte of a picture: what stands out from its surroundings in depth, cut out by GrabCut and the guided filter."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

from lumenmill_relighter.matting.grab_cut import grab_cut
from lumenmill_relighter.matting.guided_filter import guided_filter

__all__ = ["estimated_matte"]

Array = NDArray[np.float64]

# Longer side of the picture that is cut; finer edges come from the guided filter.
_CUT_SIDE_PX = 256
# Parts of the longer side: how far the edges in depth may be off, and the strips at both sides of a picture.
_TOLERANCE, _STRIP = 1 / 12, 1 / 32
# Part of the threshold: the foot of a thing stands out less than the rest, since it is as near as what it stands on.
_FOOT = 0.5
# Parts of the range of inverse depth: how far a row of a slanted wall may be behind the straight line between its
# sides, and by how much a subject stands out at least.
_MAX_RESIDUAL, _MIN_PROMINENCE = 0.05, 0.1
# Quantile of a row for that: what stands before the wall is not behind the line, windows are a quarter of it at most.
_RESIDUAL_QUANTILE = 0.75
# Part of the range of inverse depth by which half of a row is farther than both of its sides where these are a frame.
_FRAME_DEPTH = 0.25
# Of the range of inverse depth against that of a colour channel: edges in depth are blurred, and must not replace those
# in colour. Chosen, as _FOOT and _TOLERANCE, by the overlap with the instances of rendered still lifes and statues.
_DEPTH_WEIGHT = 0.3
# Of the guide of an edge: contrast of a tenth, squared, is followed fully.
_EDGE_VARIANCE = 1e-4


def estimated_matte(picture: Image.Image, depth: Image.Image) -> Image.Image | None:
    """Return the matte of the subject of a picture, grey, white where it is; None if nothing stands out.

    `depth` is the inverse depth of the picture, near is bright, as `DepthEstimator.depth_of` returns it.
    """
    scale = min(1.0, _CUT_SIDE_PX / max(picture.size))
    size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    colours, inverse_depth = (
        np.asarray(each.resize(size, Image.Resampling.BOX), np.float64) / 255 for each in (picture, depth.convert("L"))
    )
    prominence = _prominence(inverse_depth)
    if prominence.max() < _MIN_PROMINENCE:
        return None
    guess = prominence > _FOOT * _threshold(prominence)
    tolerance_px = max(round(max(size) * _TOLERANCE), 1)
    core, around = binary_erosion(guess, iterations=tolerance_px), binary_dilation(guess, iterations=tolerance_px)
    subject = grab_cut(np.dstack([colours, _DEPTH_WEIGHT * prominence]), guess, core, ~around)
    return _soft(subject, picture) if subject.any() else None


def _prominence(inverse_depth: Array) -> Array:
    """Return how much nearer each pixel is than what would be there without a subject; 0 where it is farther.

    The inverse depth of a plane is linear along rows, so that it is interpolated between both sides of the picture: a
    table is as near as what stands on it, and only the latter stands out. Where much of a row is farther than that,
    the nearer side shows something in front, and the other side is what is behind, unless both sides are much nearer
    than the rest: the frame of a doorway, or trees.
    """
    width = inverse_depth.shape[1]
    strip = max(round(width * _STRIP), 1)
    left, right = (np.median(each, axis=1) for each in (inverse_depth[:, :strip], inverse_depth[:, -strip:]))
    along = (np.arange(width) + 0.5) / width
    behind_line = _between(left, right, along) - inverse_depth
    is_plane = np.quantile(behind_line, _RESIDUAL_QUANTILE, axis=1) <= _MAX_RESIDUAL
    farther = np.minimum(left, right)
    is_frame = np.median(farther[:, None] - inverse_depth, axis=1) > _FRAME_DEPTH
    is_straight = is_plane | is_frame
    left, right = np.where(is_straight, left, farther), np.where(is_straight, right, farther)
    return np.maximum(inverse_depth - _between(left, right, along), 0.0)


def _between(left: Array, right: Array, along: Array) -> Array:
    """Return values (H, W) on the straight lines between those of both sides (H,), at parts of the width (W,)."""
    return np.asarray(left[:, None] * (1 - along) + right[:, None] * along)


def _threshold(values: Array) -> float:
    """Return the value that divides values in two with the largest variance between the parts (Otsu, 1979)."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[1:] + edges[:-1]) / 2
    num_below, sum_below = np.cumsum(counts)[:-1], np.cumsum(counts * centres)[:-1]
    num, mean = values.size, float((counts * centres).sum() / values.size)
    between = (mean * num_below - sum_below) ** 2 / (num_below * (num - num_below))
    return float(edges[1:-1][between.argmax()])


def _soft(subject: NDArray[np.bool_], picture: Image.Image) -> Image.Image:
    """Return a mask at the size of a picture, whose edges follow those of the picture."""
    mask = Image.fromarray(subject.astype(np.uint8) * 255).resize(picture.size, Image.Resampling.BILINEAR)
    guide, rough = (np.asarray(each, np.float32) / np.float32(255) for each in (picture, mask))
    pixels_per_cut = max(picture.size) / max(subject.shape)
    soft = guided_filter(guide, rough, max(round(2 * pixels_per_cut), 1), _EDGE_VARIANCE)
    return Image.fromarray(np.round(soft * 255).astype(np.uint8))
