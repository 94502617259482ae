"""Read pictures, intrinsic maps and environment maps from artifacts, at full size or reduced for measurements."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.artifacts import ArtifactStore, kind_of_bytes
from lumenmill_common.decoding import STILL_LIMITS, decoder, decoder_result, decoding_pool
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media.color_spaces import srgb_to_linear
from lumenmill_media.display_images import open_display_image
from lumenmill_media.exr import EXR_MAGIC, HALF_MAX, decode_exr, decode_exr_colors
from lumenmill_media.radiance import RADIANCE_MAGIC, decode_radiance

__all__ = [
    "LIMITS",
    "MAX_RADIANCE",
    "Limits",
    "Picture",
    "clipped_fractions",
    "read_map",
    "read_picture",
    "read_radiance_map",
    "reduced",
    "rgb_channels",
]

Array = NDArray[np.float32]

# Larger than any real radiance, and small enough that sums and products of it stay finite.
MAX_RADIANCE = 1e12
# 8-bit values from which a pixel counts as white, and up to which it counts as black.
_WHITE, _BLACK = 254, 1
_BAND_ROWS = 256
# Below it, a colour that was multiplied by opacity is not known.
_MIN_OPACITY = 1e-4


@dataclass(frozen=True)
class Limits:
    """Limits on input: bytes of a file, pixels of a picture, and the longer side at which it is measured."""

    max_bytes: int = 256 << 20
    max_pixels: int = 64_000_000
    measured_side_px: int = 512

    @property
    def max_float_pixels(self) -> int:
        """Return the limit on pixels of a float picture, which takes the memory of about `max_pixels` in 8 bits.

        By default it is a little more than an environment map of 8192 × 4096.
        """
        return self.max_pixels * 9 // 16


LIMITS = Limits()


@decoder_result
@dataclass(frozen=True)
class Picture:
    """A picture as it is measured. `display` is None for scene-referred files, which define no white.

    linear: (H, W, 3) linear Rec. 709, reduced to the measured size.
    display: (H, W, 3) sRGB values 0 to 1 at the same size.
    weight: (H, W) opacity of each pixel, 0 to 1.
    size_px: width and height of the file, upright.
    clipped_fractions: fractions of the pixels at full size that are white, and that are black, in all channels.
    """

    linear: Array
    display: Array | None
    weight: Array
    size_px: tuple[int, int]
    clipped_fractions: tuple[float, float]


def read_picture(store: ArtifactStore, artifact: artifact_pb2.Artifact, field: str, limits: Limits = LIMITS) -> Picture:
    """Return an image (PNG, JPEG, WebP, EXR or Radiance; grey, colour, alpha) upright, its colours converted.

    Raises:
        InvalidArgumentError: naming `field`; it is empty, damaged, too large or of another format, or takes too long.
    """
    data = _bytes(store, artifact, field, limits)
    return decoding_pool().run(_picture, data, limits, field=field, limits=STILL_LIMITS)


@decoder
def _picture(data: bytes, limits: Limits) -> Picture:
    if data.startswith(EXR_MAGIC):
        return _scene_referred(decode_exr_colors(data, limits.max_float_pixels), limits)
    if data.startswith(RADIANCE_MAGIC):
        return _scene_referred(decode_radiance(data, limits.max_float_pixels), limits)
    return _display_referred(data, limits)


def read_map(store: ArtifactStore, artifact: artifact_pb2.Artifact, field: str, limits: Limits = LIMITS) -> Array:
    """Return an intrinsic map (EXR) as (H, W, C) at its full size; errors as `read_picture`."""
    data = _bytes(store, artifact, field, limits)
    if not data.startswith(EXR_MAGIC):
        raise InvalidArgumentError(field, "is not an EXR image; intrinsic maps are linear float EXR")
    return decoding_pool().run(decode_exr, data, limits.max_float_pixels, field=field, limits=STILL_LIMITS)


def read_radiance_map(
    store: ArtifactStore, artifact: artifact_pb2.Artifact, field: str, limits: Limits = LIMITS
) -> Array:
    """Return an environment map (.hdr or EXR) as (H, W, 3) radiance; errors as `read_picture`."""
    data = _bytes(store, artifact, field, limits)
    return decoding_pool().run(_radiance_map, data, limits, field=field, limits=STILL_LIMITS)


@decoder
def _radiance_map(data: bytes, limits: Limits) -> Array:
    if data.startswith(EXR_MAGIC):
        radiance = rgb_channels(decode_exr_colors(data, limits.max_float_pixels))
    elif (kind := kind_of_bytes(data)) is not None and not data.startswith(RADIANCE_MAGIC):
        raise ValueError(f"is {kind.name}; environment maps are Radiance (.hdr) or EXR images")
    else:
        radiance = decode_radiance(data, limits.max_float_pixels)
    np.nan_to_num(radiance, copy=False, nan=0.0, posinf=HALF_MAX, neginf=0.0)
    np.clip(radiance, 0.0, MAX_RADIANCE, out=radiance)
    if not radiance.any():
        raise ValueError("holds no light: every pixel is black, negative or not a number")
    return radiance


def reduced(image: Array, side_px: int) -> Array:
    """Return an (H, W, C) image whose longer side is at most `side_px`, by averaging whole blocks."""
    step = -(-max(image.shape[:2]) // side_px)
    if step <= 1:
        return image
    height, width = (image.shape[0] // step) * step, (image.shape[1] // step) * step
    if not height or not width:
        return image[:: max(image.shape[0] // side_px, 1), :: max(image.shape[1] // side_px, 1)]
    # What no block covers is left out at both sides, so that a turned picture is reduced to the same pixels.
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    blocks = image[top : top + height, left : left + width].reshape(height // step, step, width // step, step, -1)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def _reduced_visible(colors: Array, alpha: Array, side_px: int) -> Array:
    """Return colours (H, W, 3) as `reduced` does, averaged by opacity (H, W): transparent pixels lend no colour."""
    if max(alpha.shape) <= side_px or float(alpha.min()) == 1.0:
        return reduced(colors, side_px)
    weights = reduced(alpha[..., None], side_px)
    return np.asarray(reduced(colors * alpha[..., None], side_px) / np.maximum(weights, 1e-6), np.float32)


def _bytes(store: ArtifactStore, artifact: artifact_pb2.Artifact, field: str, limits: Limits) -> bytes:
    data = store.read_bytes(artifact, field=field, max_bytes=limits.max_bytes)
    if not data:
        raise InvalidArgumentError(field, "is empty; send an image")
    return data


def rgb_channels(image: Array) -> Array:
    """Return (H, W, 3) of an image (H, W, C): its first three channels, or its only one three times."""
    return np.repeat(image[..., :1], 3, axis=-1) if image.shape[-1] == 1 else image[..., :3]


def _scene_referred(image: Array, limits: Limits) -> Picture:
    # In place, since large pictures take hundreds of megabytes.
    np.nan_to_num(image, copy=False, nan=0.0, posinf=HALF_MAX, neginf=0.0)
    alpha = np.clip(image[..., 3], 0.0, 1.0) if image.shape[-1] == 4 else np.ones(image.shape[:2], np.float32)
    colors = rgb_channels(image)
    if image.shape[-1] == 4:
        # Colours of EXR are multiplied by opacity ("Technical Introduction to OpenEXR", Alpha Channel).
        np.divide(colors, alpha[..., None], out=colors, where=alpha[..., None] > _MIN_OPACITY)
    np.clip(colors, 0.0, MAX_RADIANCE, out=colors)
    clipped = clipped_fractions(colors, alpha, white=1.0, black=1e-4)
    small = _reduced_visible(colors, alpha, limits.measured_side_px)
    weight = reduced(alpha[..., None], limits.measured_side_px)[..., 0]
    return Picture(small, None, weight, (image.shape[1], image.shape[0]), clipped)


def clipped_fractions(colors: NDArray[Any], weights: NDArray[Any], white: float, black: float) -> tuple[float, float]:
    """Return the weighted fractions of pixels (H, W, 3) whose three channels are all white, and all black."""
    rows = range(0, len(colors), _BAND_ROWS)
    return _clipped_in_bands(
        ((colors[row : row + _BAND_ROWS], weights[row : row + _BAND_ROWS]) for row in rows), white, black
    )


def _clipped_in_bands(
    bands: Iterable[tuple[NDArray[Any], NDArray[Any]]], white: float, black: float
) -> tuple[float, float]:
    total, light, dark = 0.0, 0.0, 0.0
    for colors, weights in bands:
        total += float(weights.sum(dtype=np.float64))
        light += float(weights[(colors >= white).all(axis=-1)].sum(dtype=np.float64))
        dark += float(weights[(colors <= black).all(axis=-1)].sum(dtype=np.float64))
    return light / (total or 1.0), dark / (total or 1.0)


def _display_referred(data: bytes, limits: Limits) -> Picture:
    image = open_display_image(data, limits.max_pixels)
    rgba, clipped = _rgba(image, limits)
    alpha, side_px = rgba[..., 3], limits.measured_side_px
    small = _reduced_visible(srgb_to_linear(rgba[..., :3]), alpha, side_px)
    shown = _reduced_visible(rgba[..., :3], alpha, side_px)
    return Picture(small, shown, reduced(alpha[..., None], side_px)[..., 0], image.size, clipped)


def _rgba(image: Image.Image, limits: Limits) -> tuple[Array, tuple[float, float]]:
    """Return (H, W, 4) sRGB and alpha, 0 to 1, and the clipped fractions at full size.

    Pillow decodes 16-bit colour as 8 bits, but 16-bit grey at full precision. Very large pictures are reduced before
    they are converted to floats.
    """
    if image.mode.startswith("I"):
        grey = np.asarray(image, np.float32) / 65535.0
        colors = np.repeat(reduced(np.clip(grey, 0.0, 1.0)[..., None], 4 * limits.measured_side_px), 3, axis=-1)
        opaque = np.ones_like(colors[..., :1])
        clipped = clipped_fractions(grey[..., None], np.ones(grey.shape, np.float32), _WHITE / 255.0, _BLACK / 255.0)
        return np.concatenate([colors, opaque], axis=-1), clipped
    clipped = _clipped_in_bands(_rgba_bands(image), _WHITE, _BLACK)
    factor = max(image.size) // (4 * limits.measured_side_px)
    if factor > 1:
        # Colours are multiplied by opacity before they are averaged: transparent pixels lend no colour.
        image = (image if image.mode == "RGB" else image.convert("RGBA").convert("RGBa")).reduce(factor)
    return np.asarray(image.convert("RGBA")).astype(np.float32) / 255.0, clipped


def _rgba_bands(image: Image.Image) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield colours and alpha of some rows at a time, to keep the memory of the conversion small."""
    for row in range(0, image.height, _BAND_ROWS):
        box = (0, row, image.width, min(row + _BAND_ROWS, image.height))
        pixels = np.asarray(image.crop(box).convert("RGBA"))
        yield pixels[..., :3], pixels[..., 3]
