"""Pictures that give light: environment maps and backgrounds, as radiance."""

import numpy as np
from numpy.typing import NDArray

from ._exr import HALF_MAX, decode_exr
from ._pictures import LIMITS, reduced, srgb_to_linear
from ._radiance import decode_radiance
from ._rgb import decode_rgb

__all__ = ["decode_light", "is_panorama"]

Array = NDArray[np.float32]

_EXR_MAGIC = b"\x76\x2f\x31\x01"
_RADIANCE_MAGIC = b"#?"
# Larger than any radiance that is meant, and small enough that sums and products of it stay finite.
_MAX_RADIANCE = 1e12
_MAX_SIDE_PX = 4096


def decode_light(data: bytes) -> Array:
    """Linear radiance (H, W, 3), finite and not negative, of a Radiance .hdr, an EXR or a display-referred picture;
    reduced to at most 4096 pixels a side by averaging blocks.

    Raises:
        ValueError: the bytes are none of these, or too large; the text says which.
    """
    if data.startswith(_RADIANCE_MAGIC):
        image = decode_radiance(data, LIMITS.max_float_pixels)
    elif data.startswith(_EXR_MAGIC):
        image = decode_exr(data, LIMITS.max_float_pixels)
        image = np.repeat(image[..., :1], 3, axis=2) if image.shape[2] == 1 else image[..., :3]
    else:
        shown = np.asarray(decode_rgb(data, LIMITS.max_float_pixels))
        image = srgb_to_linear((shown / 255).astype(np.float32))
    # In place, since large maps take hundreds of megabytes.
    np.nan_to_num(image, copy=False, nan=0.0, posinf=HALF_MAX)
    np.clip(image, 0, _MAX_RADIANCE, out=image)
    return reduced(image, _MAX_SIDE_PX)


def is_panorama(image_hw3: Array, data: bytes) -> bool:
    """Whether a picture is an equirectangular map: any Radiance file, and an EXR twice as wide as high."""
    height, width = image_hw3.shape[:2]
    return data.startswith(_RADIANCE_MAGIC) or (width == 2 * height and data.startswith(_EXR_MAGIC))
