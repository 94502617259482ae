"""PNG bytes, and pixels of pictures that come in."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_MAX_PIXELS = 64_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")


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
        ValueError: no picture, or one of more than 64 megapixels.
    """
    try:
        with warnings.catch_warnings():
            # The number of pixels is checked here, before anything is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise ValueError(f"has more than {_MAX_PIXELS} pixels")
                encoded_hw3 = np.asarray(image.convert("RGB"), np.float32) / 255
    except Image.DecompressionBombError as error:
        raise ValueError(f"has more than {_MAX_PIXELS} pixels") from error
    except (OSError, SyntaxError, EOFError, MemoryError) as error:
        raise ValueError("is damaged, or not a PNG, JPEG, WebP, Radiance or EXR picture") from error
    return np.where(encoded_hw3 <= 0.04045, encoded_hw3 / 12.92, ((encoded_hw3 + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )
