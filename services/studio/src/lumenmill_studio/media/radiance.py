"""Environment maps and backgrounds from bytes: Radiance .hdr, EXR, and display-referred pictures."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from lumenmill_studio.media import exr, png

Image = NDArray[np.float32]
# Larger than any radiance that is meant, and small enough that sums and products of it stay finite.
_MAX_RADIANCE = 1e12
_MAX_SIDE_PX = 4096


def radiance(data: bytes) -> Image:
    """Linear radiance (H, W, 3), finite and not negative; reduced to at most 4096 pixels a side by averaging blocks.

    Raises:
        ValueError: the bytes are no picture that studio can read.
    """
    if data.startswith(b"#?"):
        image = _rgbe(data)
    elif data.startswith(b"\x76\x2f\x31\x01"):
        image = exr.decoded(data)
        image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    else:
        image = png.linear_pixels(data)
    # In place, since large maps take hundreds of megabytes.
    np.nan_to_num(image, copy=False, nan=0.0, posinf=exr.HALF_MAX)
    np.clip(image, 0, _MAX_RADIANCE, out=image)
    return _reduced(image)


def _reduced(image_hw3: Image) -> Image:
    step = -(-max(image_hw3.shape[:2]) // _MAX_SIDE_PX)
    height, width = (side // step for side in image_hw3.shape[:2])
    if step == 1 or not height or not width:
        return image_hw3
    blocks = image_hw3[: height * step, : width * step].reshape(height, step, width, step, 3)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def is_panorama(image_hw3: Image, data: bytes) -> bool:
    """Whether the picture is an equirectangular map: any Radiance file, and an EXR twice as wide as high."""
    height, width = image_hw3.shape[:2]
    return data.startswith(b"#?") or (width == 2 * height and data.startswith(b"\x76\x2f\x31\x01"))


def _rgbe(data: bytes) -> Image:
    """Radiance RGBE, run-length encoded by scanline or flat (Ward, Graphics Gems II)."""
    head, _, body = data.partition(b"\n\n")
    line, _, body = body.partition(b"\n")
    match = re.fullmatch(rb"-Y (\d+) \+X (\d+)", line.strip())
    if not match or b"FORMAT=32-bit_rle_rgbe" not in head:
        raise ValueError("not a Radiance picture in RGBE with -Y +X order")
    height, width = int(match[1]), int(match[2])
    if height * width > exr.MAX_PIXELS or height < 1 or width < 1:
        raise ValueError(f"has more than {exr.MAX_PIXELS} pixels")
    rgbe = np.empty((height, width, 4), np.uint8)
    position = 0
    try:
        for row in range(height):
            position = _scanline(body, position, rgbe[row])
    except (IndexError, ValueError) as error:
        raise ValueError(f"a Radiance picture that breaks off: {error}") from error
    scale = np.exp2(np.arange(256, dtype=np.float32) - 136)
    scale[0] = 0
    image = rgbe[..., :3].astype(np.float32)
    np.multiply(image, scale[rgbe[..., 3]][..., None], out=image)
    return image


def _scanline(body: bytes, position: int, row_w4: NDArray[np.uint8]) -> int:
    width = len(row_w4)
    if body[position : position + 2] != b"\x02\x02" or int.from_bytes(body[position + 2 : position + 4]) != width:
        row_w4[:] = np.frombuffer(body, np.uint8, width * 4, position).reshape(width, 4)
        return position + width * 4
    position += 4
    for channel in range(4):
        column = 0
        while column < width:
            count = body[position]
            if count > 128:
                row_w4[column : column + count - 128, channel] = body[position + 1]
                column, position = column + count - 128, position + 2
            else:
                row_w4[column : column + count, channel] = np.frombuffer(body, np.uint8, count, position + 1)
                column, position = column + count, position + 1 + count
    return position
