"""The guided filter (He et al., ECCV 2010): a mask whose edges follow those of a picture, softly."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

__all__ = ["guided_filter"]

Array = NDArray[np.float32]


def guided_filter(guide: Array, mask: Array, radius_px: int, variance: float) -> Array:
    """Return a mask (H, W) that is a linear function of the guide (H, W, 3) within each window, 0 to 1.

    `variance` is that of the guide below which a window is averaged and not followed.
    """
    window = (2 * radius_px + 1,) * 2

    def mean(values: Array) -> Array:
        return np.asarray(uniform_filter(values, size=window + (1,) * (values.ndim - 2), mode="nearest"))

    mean_guide, mean_mask = mean(guide), mean(mask)
    covariance = mean(guide * mask[..., None]) - mean_guide * mean_mask[..., None]
    variances = mean(guide[..., :, None] * guide[..., None, :]) - mean_guide[..., :, None] * mean_guide[..., None, :]
    slopes = np.linalg.solve(variances + variance * np.eye(3, dtype=np.float32), covariance[..., None])[..., 0]
    offsets = mean_mask - (slopes * mean_guide).sum(axis=-1)
    return np.asarray(np.clip((mean(slopes) * guide).sum(axis=-1) + mean(offsets), 0.0, 1.0))
