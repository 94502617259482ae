"""PNG bytes, and pixels of pictures that come in."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lumenmill_studio.media.exr import MAX_PIXELS

_FORMATS = ("PNG", "JPEG", "WEBP")
# Linear values of the 256 sRGB values (IEC 61966-2-1).
_SRGB = np.arange(256, dtype=np.float64) / 255
_LINEAR = np.where(_SRGB <= 0.04045, _SRGB / 12.92, ((_SRGB + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(pixels_hwc: NDArray[np.uint8]) -> bytes:
    """PNG bytes of 8-bit pixels (H, W, 3) or (H, W, 1)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels_hwc if pixels_hwc.shape[2] == 3 else pixels_hwc[..., 0]).save(
        buffer, "PNG", compress_level=5
    )
    return buffer.getvalue()


def linear_pixels(data: bytes) -> NDArray[np.float32]:
    """Linear Rec. 709 pixels (H, W, 3) of a PNG, JPEG or WebP picture (IEC 61966-2-1 undone).

    Raises:
        ValueError: no picture, or one of more than ``exr.MAX_PIXELS``.
    """
    try:
        with warnings.catch_warnings():
            # The number of pixels is checked here, before anything is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(f"has more than {MAX_PIXELS} pixels")
                pixels_hw3 = np.asarray(image.convert("RGB"))
    except Image.DecompressionBombError as error:
        raise ValueError(f"has more than {MAX_PIXELS} pixels") from error
    except (OSError, SyntaxError, EOFError, MemoryError) as error:
        raise ValueError("is damaged, or not a PNG, JPEG, WebP, Radiance or EXR picture") from error
    return np.asarray(_LINEAR[pixels_hw3], np.float32)
