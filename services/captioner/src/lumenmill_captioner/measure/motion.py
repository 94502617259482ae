"""What moves in a clip: its light, flicker, or things and camera.

Textured patches of one small picture are searched for in the next by normalised cross-correlation of high-pass filtered
log luminance, which smooth changes of light do not affect (Lewis, "Fast normalized cross-correlation", 1995). A patch
that is found elsewhere has moved. The change of a found patch's mean colour is a change of light, wherever it is found.
Flicker is the residual of the luminance of regions, frame by frame, from a smooth curve over time.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lumenmill_captioner.measure.over_time import median_over_time, smoothed
from lumenmill_light.color import luminance
from lumenmill_media import Track

__all__ = ["ClipMotion", "measure_motion"]

Array = NDArray[np.float32]
Vector = NDArray[np.float64]

_NUM_REGIONS = 4
# Added to luminance before its logarithm, so that noise in black does not count.
_LIFT = 0.01
_SMOOTH_S = 0.6
_MIN_FLICKER_FRAMES, _MIN_SMOOTH_FRAMES = 9, 7
_PATCH_PX, _STRIDE_PX, _SEARCH_PX = 9, 4, 6
# Stops of local contrast from which a patch is textured; a match is accepted above this correlation, and a patch has
# moved when another position correlates better by this margin.
_MIN_TEXTURE_EV = 0.12
_MIN_CORRELATION, _MOVED_MARGIN = 0.75, 0.08
_MIN_TEXTURED_PATCHES = 8
# Small pictures over which slow motion is looked for, and over which the path of light is smoothed.
_LONG_STEPS, _SMOOTH_STEPS = 6, 5
# A patch whose colour changes by less than this part of its change of luminance changes as at the edge of a shadow.
_SHADOW_CHROMA_SHARE, _SHADOW_CHROMA_NOISE_EV = 0.35, 0.05
# When this part of a picture that is textured all over moves, the camera moves, and it is no shadow.
_CAMERA_PART, _TEXTURED_ALL_OVER = 0.6, 0.45


@dataclass(frozen=True)
class ClipMotion:
    """Motion in a clip, each None when it cannot be measured.

    Attributes:
        light_motion_ev: stops by which light on the same surfaces changes over the clip, without flicker.
        flicker_ev: stops, median distance over time of luminance from a smooth curve, in the region that flickers most.
        structure_motion_fraction: part of textured patches that move, or change more than by light, 0 to 1.
        shadow_motion_fraction: part of textured patches whose edges move in luminance alone, as shadows do, 0 to 1.
    """

    light_motion_ev: float | None = None
    flicker_ev: float | None = None
    structure_motion_fraction: float | None = None
    shadow_motion_fraction: float | None = None

    def scores(self) -> dict[str, float]:
        """Return those that were measured, by name."""
        named = {
            "light_motion_ev": self.light_motion_ev,
            "flicker_ev": self.flicker_ev,
            "structure_motion_fraction": self.structure_motion_fraction,
            "shadow_motion_fraction": self.shadow_motion_fraction,
        }
        return {name: value for name, value in named.items() if value is not None}


def measure_motion(track: Track) -> ClipMotion:
    """Measure what moves in a clip."""
    residual = _flicker_residual(track)
    flicker = None
    if residual is not None:
        flicker = float(median_over_time(track.times_s[: len(residual)], np.abs(residual)).max())
    if len(track.thumbnails) < 2:
        return ClipMotion(flicker_ev=flicker)
    pictures = [_Small.of(linear) for linear in track.thumbnails]
    steps = [_compare(a, b) for a, b in itertools.pairwise(pictures)]
    far = [_compare(pictures[a], pictures[b]) for a, b in _far_pairs(track)]
    structure, shadows = _edge_motion(steps, far)
    return ClipMotion(_light_motion(steps, track, residual), flicker, structure, shadows)


def _far_pairs(track: Track) -> list[tuple[int, int]]:
    """Return every third small picture with the first one that is shown as long after it as six even steps take."""
    times_s = track.thumbnail_times_s
    lag_s = _LONG_STEPS * times_s[-1] / (len(times_s) - 1)
    later = np.searchsorted(times_s, times_s + lag_s * (1.0 - 1e-3))
    return [(index, int(other)) for index, other in enumerate(later) if other < len(times_s)][::3]


def _region_medians(cells: Vector) -> Vector:
    """Medians (N, 4, 4) of blocks of (N, 16, 16)."""
    size = cells.shape[1] // _NUM_REGIONS
    blocks = cells.reshape(-1, _NUM_REGIONS, size, _NUM_REGIONS, size)
    return np.asarray(np.median(blocks, axis=(2, 4)))


def _flicker_residual(track: Track) -> Vector | None:
    """Return stops from the smooth curve (N, 4, 4). The median over cells removes what moves through them."""
    num_frames = len(track.cells)
    if num_frames < _MIN_FLICKER_FRAMES:
        return None
    levels = np.log2(track.cells.astype(np.float64) + _LIFT)
    curve = smoothed(track.times_s[:num_frames], levels, span_s=_SMOOTH_S, min_samples=_MIN_SMOOTH_FRAMES, degree=2)
    return _region_medians(levels - curve)


@dataclass(frozen=True)
class _Small:
    """A small picture.

    Attributes:
        color: (H, W, 3) log₂ of linear colour.
        mean_color: (H, W, 3) log₂ of its mean over patches.
        structure: (H, W) high frequencies of log₂ luminance.
        spread: (H, W) its standard deviation over patches.
    """

    color: Vector
    mean_color: Vector
    structure: Vector
    spread: Vector

    @classmethod
    def of(cls, linear: Array) -> "_Small":
        colors = linear.astype(np.float64)
        level = np.log2(luminance(colors) + _LIFT)
        structure = level - ndimage.gaussian_filter(level, _PATCH_PX / 2.0)
        mean = _box(structure)
        spread = np.sqrt(np.maximum(_box(structure**2) - mean**2, 0.0))
        patches = ndimage.uniform_filter(colors, (_PATCH_PX, _PATCH_PX, 1))
        return cls(np.log2(colors + _LIFT), np.log2(patches + _LIFT), structure, spread)


def _box(values: Vector) -> Vector:
    return np.asarray(ndimage.uniform_filter(values, _PATCH_PX))


@dataclass(frozen=True)
class _Step:
    """The change from one small picture to another, for P textured patches.

    Attributes:
        regions: (P,) region of the frame.
        stayed: (P,) whether the patch was found at its position.
        moved: (P,) whether it was found elsewhere.
        like_shadow: (P,) whether luminance rather than colour changed at its position.
        gain: (P, 3) stops by which the colour of a found patch changed.
        coverage: part of the searched patches that are textured.
    """

    regions: NDArray[np.int64]
    stayed: NDArray[np.bool_]
    moved: NDArray[np.bool_]
    like_shadow: NDArray[np.bool_]
    gain: Vector
    coverage: float


def _compare(a: _Small, b: _Small) -> _Step:
    height, width = a.structure.shape
    reach = min(_SEARCH_PX, (min(height, width) - _PATCH_PX) // 2)
    edge = _PATCH_PX // 2 + reach
    y, x = (grid.ravel() for grid in np.mgrid[edge : height - edge : _STRIDE_PX, edge : width - edge : _STRIDE_PX])
    textured = (a.spread[y, x] > _MIN_TEXTURE_EV) & (b.spread[y, x] > _MIN_TEXTURE_EV)
    coverage = float(textured.mean()) if textured.size else 0.0
    y, x = y[textured], x[textured]
    best, shift = np.full(len(y), -1.0), np.zeros((len(y), 2), np.int64)
    at_rest = np.zeros(len(y))
    mean_a, mean_b = _box(a.structure), _box(b.structure)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            product = _box(a.structure * np.roll(b.structure, (-dy, -dx), axis=(0, 1)))[y, x]
            covariance = product - mean_a[y, x] * mean_b[y + dy, x + dx]
            spread = np.maximum(a.spread[y, x] * b.spread[y + dy, x + dx], _MIN_TEXTURE_EV**2 / 2.0)
            correlation = covariance / spread
            if dy == dx == 0:
                at_rest = correlation
            better = correlation > best
            best[better], shift[better] = correlation[better], (dy, dx)
    found = best > _MIN_CORRELATION
    moved = found & (best > at_rest + _MOVED_MARGIN) & (np.abs(shift).max(axis=1, initial=0) >= 1)
    shift[~moved] = 0
    gain = b.mean_color[y + shift[:, 0], x + shift[:, 1]] - a.mean_color[y, x]
    regions = (y * _NUM_REGIONS // height) * _NUM_REGIONS + x * _NUM_REGIONS // width
    return _Step(regions, found & ~moved, moved, _like_shadow(a, b)[y, x], gain, coverage)


def _like_shadow(a: _Small, b: _Small) -> NDArray[np.bool_]:
    change = b.color - a.color
    chroma = np.abs(change[..., [0, 2]] - change[..., [1]]).max(axis=-1)
    return _box(chroma) < _SHADOW_CHROMA_SHARE * _box(np.abs(change[..., 1])) + _SHADOW_CHROMA_NOISE_EV


def _light_motion(steps: list[_Step], track: Track, residual: Vector | None) -> float | None:
    """Return the mean over regions of the range of their light, whose gains are summed from step to step."""
    num_regions = _NUM_REGIONS**2
    path = np.zeros((len(steps) + 1, num_regions, 3))
    seen = np.zeros(num_regions, np.int64)
    for index, step in enumerate(steps):
        found = step.stayed | step.moved
        for region in range(num_regions):
            members = found & (step.regions == region)
            if members.sum() >= 2:
                path[index + 1, region] = np.median(step.gain[members], axis=0)
                seen[region] += 1
    path = np.cumsum(path, axis=0)
    if residual is not None:
        frames = np.minimum(track.thumbnail_frames, len(residual) - 1)
        path -= residual.reshape(len(residual), -1)[frames][:, :, None]
    if len(path) >= _SMOOTH_STEPS:
        times_s = track.thumbnail_times_s
        span_s = (_SMOOTH_STEPS - 1) * times_s[-1] / (len(times_s) - 1)
        path = smoothed(times_s, path, span_s=span_s, min_samples=_SMOOTH_STEPS, degree=1)
    usable = seen >= max(len(steps) // 2, 1)
    if not usable.any():
        return None
    ranges = np.ptp(path[:, usable], axis=0)
    return float(np.mean(np.sqrt(np.mean(ranges**2, axis=-1))))


def _edge_motion(steps: list[_Step], far: list[_Step]) -> tuple[float | None, float | None]:
    """Return the parts of the patches that move or are not found from step to step, as structure and as shadows.

    Slow motion of structure is visible over longer times only; patches that are not found then do not count.
    """
    near_parts = [_parts(step, ~step.stayed) for step in steps if len(step.stayed) >= _MIN_TEXTURED_PATCHES]
    far_parts = [_parts(step, step.moved) for step in far if len(step.moved) >= _MIN_TEXTURED_PATCHES]
    if not near_parts:
        return None, None
    structure, shadows = np.mean(near_parts, axis=0)
    if far_parts:
        slow_structure, slow_shadows = np.mean(far_parts, axis=0)
        structure, shadows = max(structure, slow_structure), max(shadows, slow_shadows)
    return float(structure), float(shadows)


def _parts(step: _Step, changed: NDArray[np.bool_]) -> tuple[float, float]:
    by_camera = step.coverage > _TEXTURED_ALL_OVER and changed.mean() > _CAMERA_PART
    shadows = np.zeros_like(changed) if by_camera else changed & step.like_shadow
    return float((changed & ~shadows).mean()), float(shadows.mean())
