"""Smooth curves and medians of values over time, for frames that may be shown for different times."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["median_over_time", "smoothed"]

Vector = NDArray[np.float64]

# Containers round times to milliseconds.
_ROUNDING_S = 0.002


def smoothed(times_s: Vector, values: Vector, *, span_s: float, min_samples: int, degree: int) -> Vector:
    """Return a smooth curve through values (N, ...) at rising times (N,) in seconds.

    At each time it is the polynomial of `degree` that fits the values within `span_s` around it best by least squares,
    or those of the nearest `min_samples`; at the ends the span is shifted. At even times this is the filter of Savitzky
    and Golay (Analytical Chemistry 36, 1964).
    """
    first, last = _windows(times_s, span_s, min(min_samples, len(times_s)))
    curve = np.empty_like(values)
    for index, time_s in enumerate(times_s):
        window = slice(first[index], last[index])
        curve[index] = np.tensordot(_weights(times_s[window] - time_s, degree), values[window], axes=1)
    return curve


def _windows(times_s: Vector, span_s: float, min_samples: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first sample of the window around each time, and the one after the last."""
    starts_s = np.clip(times_s - span_s / 2.0, times_s[0], max(times_s[-1] - span_s, times_s[0]))
    first = np.searchsorted(times_s, starts_s - _ROUNDING_S)
    last = np.searchsorted(times_s, starts_s + span_s + _ROUNDING_S)
    is_short = last - first < min_samples
    nearest = np.clip(np.arange(len(times_s)) - min_samples // 2, 0, len(times_s) - min_samples)
    return np.where(is_short, nearest, first), np.where(is_short, nearest + min_samples, last)


def _weights(offsets_s: Vector, degree: int) -> Vector:
    """Return the weights of samples in the value of the fitted polynomial at offset 0."""
    unit_s = max(float(np.abs(offsets_s).max()), _ROUNDING_S)
    powers = np.vander(offsets_s / unit_s, degree + 1, increasing=True)
    return np.asarray(np.linalg.pinv(powers)[0])


def median_over_time(times_s: Vector, values: Vector) -> Vector:
    """Return the median of values (N, ...) over time: each counts for as long as its frame is shown."""
    shown_s = np.diff(times_s)
    weights = np.append(shown_s, np.median(shown_s)) if len(shown_s) else np.ones(1)
    order = np.argsort(values, axis=0)
    reached = np.cumsum(weights[order], axis=0)
    middle = (reached < reached[-1] / 2.0).sum(axis=0)
    middle = np.minimum(middle, len(values) - 1)
    return np.asarray(np.take_along_axis(np.take_along_axis(values, order, axis=0), middle[None], axis=0)[0])
