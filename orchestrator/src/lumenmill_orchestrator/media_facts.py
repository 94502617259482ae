"""Facts of uploaded images, read from their headers."""

from pathlib import Path

from PIL import ExifTags, Image

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.telemetry import get_logger

__all__ = ["image_facts"]

_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
# Values of the EXIF orientation of pictures that are stored lying.
_LYING = frozenset({5, 6, 7, 8})
_log = get_logger(__name__)


def image_facts(path: Path, media_type: str) -> artifact_pb2.ImageFacts | None:
    """Return upright size and channels of a display-referred image; None for other media and for broken images."""
    format_ = _FORMATS.get(media_type)
    if format_ is None:
        return None
    try:
        with Image.open(path, formats=[format_]) as image:
            lies = image.getexif().get(ExifTags.Base.Orientation) in _LYING
            width_px, height_px = image.size[::-1] if lies else image.size
            has_profile = bool(image.info.get("icc_profile"))
            return artifact_pb2.ImageFacts(
                width_px=width_px,
                height_px=height_px,
                num_channels=len(image.getbands()),
                color_space=artifact_pb2.COLOR_SPACE_UNSPECIFIED if has_profile else artifact_pb2.COLOR_SPACE_SRGB,
            )
    except Exception as error:  # decoders raise all kinds of errors on broken files
        _log.info("an upload is not an image of its media type", media_type=media_type, reason=str(error))
        return None
