"""OpenEXR files in memory: half or single floats, compressed without loss."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from numpy.typing import NDArray

Image = NDArray[np.float32]
HALF_MAX = 65504.0
# Most pixels of a picture that comes in: 8192 × 4096 and a little more, which as floats take 430 MB.
MAX_PIXELS = 36_000_000
_MAX_VALUES = 4 * MAX_PIXELS


def encoded(image_hwc: Image, *, single: bool = False) -> bytes:
    """EXR bytes of an image with one channel (``Y``) or three (``RGB``); half floats unless ``single``."""
    image = np.asarray(image_hwc, np.float32)
    pixels = image if single else np.clip(image, -HALF_MAX, HALF_MAX).astype(np.float16)
    name = "RGB" if pixels.shape[2] == 3 else "Y"
    data = np.ascontiguousarray(pixels if name == "RGB" else pixels[..., 0])
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with tempfile.TemporaryDirectory(prefix="lumenmill-") as folder:
        path = Path(folder) / "image.exr"
        with OpenEXR.File(header, {name: data}) as file:
            file.write(str(path))
        return path.read_bytes()


def decoded(data: bytes, max_values: int = _MAX_VALUES) -> Image:
    """Pixels (H, W, C) of EXR bytes, C 1 or 3; alpha is dropped.

    Raises:
        ValueError: the bytes are no EXR picture with colour or luminance, or one whose parts and channels have more
            than ``max_values`` values together.
    """
    with tempfile.TemporaryDirectory(prefix="lumenmill-") as folder:
        path = Path(folder) / "image.exr"
        path.write_bytes(data)
        try:
            with OpenEXR.File(str(path), header_only=True) as file:
                num_values = sum(_num_values(part.header) for part in file.parts)
            if num_values > max_values:
                raise ValueError(f"has {num_values} values, more than the {max_values} allowed")
            with OpenEXR.File(str(path)) as file:
                name, pixels = _colour({name: channel.pixels for name, channel in file.channels().items()})
                image = np.array(pixels[..., :3] if name != "Y" else pixels[..., None], np.float32)
        except (RuntimeError, TypeError, KeyError, MemoryError) as error:
            raise ValueError(f"not an EXR file: {error}") from error
    return image


def _colour(channels: Mapping[str, NDArray[Any]]) -> tuple[str, NDArray[Any]]:
    for name in ("RGB", "RGBA", "Y"):
        if name in channels:
            return name, channels[name]
    raise ValueError("the EXR file has neither RGB nor Y")


def _num_values(header: Mapping[str, Any]) -> int:
    """Values of all channels of one part, as its header declares them."""
    low, high = header["dataWindow"]
    width, height = (int(high[axis]) - int(low[axis]) + 1 for axis in (0, 1))
    return max(width, 0) * max(height, 0) * len(header["channels"])


def as_half(image: Image) -> Image:
    """The image as half floats can hold it, in single floats."""
    return np.clip(image, -HALF_MAX, HALF_MAX).astype(np.float16).astype(np.float32)
