"""Read environment maps and backgrounds as radiance."""

import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.decoding import STILL_LIMITS, decoder, decoding_pool
from lumenmill_media.color_spaces import srgb_to_linear
from lumenmill_media.exr import EXR_MAGIC, HALF_MAX, decode_exr_colors
from lumenmill_media.pictures import LIMITS, MAX_RADIANCE, reduced, rgb_channels
from lumenmill_media.radiance import RADIANCE_MAGIC, decode_radiance
from lumenmill_media.rgb import decode_rgb

__all__ = ["decode_light", "is_panorama", "read_light"]

Array = NDArray[np.float32]

_MAX_SIDE_PX = 4096


def read_light(
    store: ArtifactStore, artifact: Artifact, field: str, max_bytes: int = LIMITS.max_bytes
) -> tuple[Array, bool]:
    """Return the radiance of a map or picture as `decode_light` does, and whether it is a panorama.

    Raises:
        InvalidArgumentError: naming `field`; the file is neither, damaged or too large, or takes too long to decode.
    """
    data = store.read_bytes(artifact, field=field, max_bytes=max_bytes)
    radiance = decoding_pool().run(decode_light, data, field=field, limits=STILL_LIMITS)
    return radiance, is_panorama(radiance, data)


@decoder
def decode_light(data: bytes) -> Array:
    """Return the linear radiance (H, W, 3) of a Radiance .hdr, an EXR or a display-referred picture.

    It is finite, not negative, and reduced to at most 4096 pixels a side by averaging blocks.

    Raises:
        ValueError: the bytes are none of these, or too large; the text says which.
    """
    if data.startswith(RADIANCE_MAGIC):
        image = decode_radiance(data, LIMITS.max_float_pixels)
    elif data.startswith(EXR_MAGIC):
        image = rgb_channels(decode_exr_colors(data, LIMITS.max_float_pixels))
    else:
        shown = np.asarray(decode_rgb(data, LIMITS.max_float_pixels))
        image = srgb_to_linear(np.divide(shown, 255, dtype=np.float32))
    # In place, since large maps take hundreds of megabytes.
    np.nan_to_num(image, copy=False, nan=0.0, posinf=HALF_MAX)
    np.clip(image, 0, MAX_RADIANCE, out=image)
    return reduced(image, _MAX_SIDE_PX)


def is_panorama(image_hw3: Array, data: bytes) -> bool:
    """Return whether a picture is an equirectangular map: any Radiance file, or an EXR twice as wide as high."""
    height, width = image_hw3.shape[:2]
    # Large maps are reduced by whole blocks, which may leave out the last row.
    is_twice_as_wide = width in (2 * height, 2 * height + 1)
    return data.startswith(RADIANCE_MAGIC) or (is_twice_as_wide and data.startswith(EXR_MAGIC))
