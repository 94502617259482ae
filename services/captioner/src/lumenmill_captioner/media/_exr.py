"""OpenEXR images from bytes."""

import io

import numpy as np
import OpenEXR
from numpy.typing import NDArray

Array = NDArray[np.float32]


def decode_exr(data: bytes, max_pixels: int) -> Array:
    """Return an EXR image as (H, W, C) float32: C is 4 with alpha, 3 for colours or vectors, 1 for luminance or data.

    Raises:
        ValueError: the bytes are no EXR image, or one with more pixels than `max_pixels`; the text says which.
    """
    try:
        header = OpenEXR.File(io.BytesIO(data), header_only=True).header()
        low, high = header["dataWindow"]
        width, height = int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1
        if width * height > max_pixels:
            raise ValueError(f"has {width}×{height} pixels, more than the {max_pixels} allowed")
        with OpenEXR.File(io.BytesIO(data), separate_channels=True) as file:
            channels = {name: np.asarray(entry.pixels, np.float32) for name, entry in file.channels().items()}
    except (RuntimeError, TypeError, KeyError, MemoryError) as error:
        raise ValueError("is not a readable EXR image") from error
    for names in (("R", "G", "B", "A"), ("R", "G", "B"), ("X", "Y", "Z"), ("x", "y", "z"), ("Y",), ("Z",)):
        if all(name in channels for name in names):
            return np.stack([channels[name] for name in names], axis=-1)
    if len(channels) == 1:
        return next(iter(channels.values()))[..., None]
    raise ValueError(f"has channels {sorted(channels)}; RGB, XYZ or one channel are understood")
