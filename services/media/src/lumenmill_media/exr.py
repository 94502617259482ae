"""Decode and encode OpenEXR images in memory: half or single floats, compressed without loss."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import OpenEXR
from numpy.typing import NDArray

__all__ = ["EXR_MAGIC", "HALF_MAX", "MAX_FLOAT_PIXELS", "as_half", "decode_exr", "encode_exr"]

Array = NDArray[np.float32]

EXR_MAGIC = b"\x76\x2f\x31\x01"
# The largest finite half float.
HALF_MAX = 65504.0
# Default limit on the pixels of a float picture that is decoded: a little more than 8192 × 4096, which take 430 MB.
MAX_FLOAT_PIXELS = 36_000_000
_RGBA_CHANNELS = 4


def encode_exr(image_hwc: Array, *, single: bool = False) -> bytes:
    """Return the EXR bytes of an image (H, W, C) of one channel (`Y`) or three (`RGB`); half floats unless `single`."""
    image = np.asarray(image_hwc, np.float32)
    pixels = image if single else np.clip(image, -HALF_MAX, HALF_MAX).astype(np.float16)
    name = "RGB" if pixels.shape[2] == 3 else "Y"
    data = np.ascontiguousarray(pixels if name == "RGB" else pixels[..., 0])
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    buffer = io.BytesIO()
    with OpenEXR.File(header, {name: data}) as file:
        file.write(buffer)
    return buffer.getvalue()


def as_half(image: Array) -> Array:
    """Return the image rounded to half floats, as single floats."""
    return np.clip(image, -HALF_MAX, HALF_MAX).astype(np.float16).astype(np.float32)


def decode_exr(data: bytes, max_pixels: int = MAX_FLOAT_PIXELS) -> Array:
    """Return an EXR image as (H, W, C) float32: C is 4 with alpha, 3 for colours or vectors, 1 for luminance or data.

    Raises:
        ValueError: the bytes are no EXR image, the image has more pixels than `max_pixels`, or its parts and channels
            together have more values than that many RGBA pixels; the text says which.
    """
    try:
        with OpenEXR.File(io.BytesIO(data), header_only=True) as file:
            _check_size([part.header for part in file.parts], max_pixels)
        with OpenEXR.File(io.BytesIO(data), separate_channels=True) as file:
            return _stacked({name: entry.pixels for name, entry in file.channels().items()})
    except (RuntimeError, TypeError, KeyError, MemoryError) as error:
        raise ValueError("is not a readable EXR image") from error


def _stacked(channels: Mapping[str, NDArray[Any]]) -> Array:
    for names in (("R", "G", "B", "A"), ("R", "G", "B"), ("X", "Y", "Z"), ("x", "y", "z"), ("Y",), ("Z",)):
        if all(name in channels for name in names):
            return np.stack([channels[name] for name in names], axis=-1, dtype=np.float32, casting="unsafe")
    if len(channels) == 1:
        return np.array(next(iter(channels.values()))[..., None], np.float32)
    raise ValueError(f"has channels {sorted(channels)}; RGB, XYZ or one channel are understood")


def _check_size(headers: Sequence[Mapping[str, Any]], max_pixels: int) -> None:
    num_values = 0
    for header in headers:
        low, high = header["dataWindow"]
        width, height = (max(int(high[axis]) - int(low[axis]) + 1, 0) for axis in (0, 1))
        if width * height > max_pixels:
            raise ValueError(f"has {width}×{height} pixels, more than the {max_pixels} allowed")
        num_values += width * height * len(header["channels"])
    if num_values > _RGBA_CHANNELS * max_pixels:
        raise ValueError(f"has {num_values} values in all channels, more than {max_pixels} RGBA pixels")
