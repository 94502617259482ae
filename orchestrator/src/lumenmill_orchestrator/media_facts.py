"""Facts of uploaded images, read from their headers alone."""

from pathlib import Path

from lumenmill.common.v1 import artifact_pb2
from PIL import Image, UnidentifiedImageError

__all__ = ["image_facts"]

_READABLE = frozenset({"image/jpeg", "image/png", "image/webp"})


def image_facts(path: Path, media_type: str) -> artifact_pb2.ImageFacts | None:
    """Size and channels of a display-referred image; None for other media and for what is not what it claims."""
    if media_type not in _READABLE:
        return None
    try:
        with Image.open(path) as image:
            return artifact_pb2.ImageFacts(
                width_px=image.width,
                height_px=image.height,
                num_channels=len(image.getbands()),
                color_space=artifact_pb2.COLOR_SPACE_SRGB,
            )
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
        return None
