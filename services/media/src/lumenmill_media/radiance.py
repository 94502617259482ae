"""Decode Radiance .hdr images (RGBE), after Ward, "Real Pixels", Graphics Gems II, 1991."""

import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode_radiance"]

Array = NDArray[np.float32]


def decode_radiance(data: bytes, max_pixels: int) -> Array:
    """Return a Radiance image as (H, W, 3) linear float32.

    Raises:
        ValueError: the bytes are no top-down RGBE image, or the image has more pixels than `max_pixels`.
    """
    match = re.search(rb"\n\n-Y (\d{1,6}) \+X (\d{1,6})\n", data[:65536])
    if not data.startswith((b"#?RADIANCE", b"#?RGBE")) or match is None:
        raise ValueError("is not a readable Radiance image")
    height, width = int(match[1]), int(match[2])
    if not 0 < width * height <= max_pixels:
        raise ValueError(f"has {width}×{height} pixels, more than the {max_pixels} allowed")
    body = np.frombuffer(data, np.uint8, offset=match.end())
    try:
        rgbe = _scanlines(body, height, width)
    except (IndexError, ValueError) as error:
        raise ValueError("is a truncated or damaged Radiance image") from error
    scale = np.ldexp(np.float32(1.0), np.arange(256, dtype=np.int32) - 136).astype(np.float32)
    scale[0] = 0.0
    image = rgbe[..., :3].astype(np.float32)
    image *= scale[rgbe[..., 3]][..., None]
    return image


def _scanlines(body: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    if not (8 <= width < 32768 and body[0] == 2 and body[1] == 2 and body[2] < 128):
        return body[: height * width * 4].reshape(height, width, 4)
    rgbe = np.empty((height, 4, width), np.uint8)
    offset = 0
    for row in range(height):
        if body[offset] != 2 or body[offset + 1] != 2:
            raise ValueError("scanline without its marker")
        offset += 4
        for channel in range(4):
            offset = _run(body, offset, rgbe[row, channel])
    return rgbe.transpose(0, 2, 1)


def _run(body: NDArray[np.uint8], offset: int, row: NDArray[np.uint8]) -> int:
    """Decode one run-length coded channel of a scanline; return the offset of the next one."""
    column = 0
    while column < row.size:
        count = int(body[offset])
        if count > 128:
            count -= 128
            row[column : column + count] = body[offset + 1]
            offset += 2
        else:
            row[column : column + count] = body[offset + 1 : offset + 1 + count]
            offset += 1 + count
        column += count
        if count == 0 or column > row.size:
            raise ValueError("run beyond the scanline")
    return offset
