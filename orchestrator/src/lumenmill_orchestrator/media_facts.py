"""Facts of uploaded images, read from their headers alone."""

from pathlib import Path

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.telemetry import get_logger
from PIL import Image

__all__ = ["image_facts"]

_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_log = get_logger(__name__)


def image_facts(path: Path, media_type: str) -> artifact_pb2.ImageFacts | None:
    """Size and channels of a display-referred image; None for other media and for what is not what it claims."""
    format_ = _FORMATS.get(media_type)
    if format_ is None:
        return None
    try:
        with Image.open(path, formats=[format_]) as image:
            return artifact_pb2.ImageFacts(
                width_px=image.width,
                height_px=image.height,
                num_channels=len(image.getbands()),
                color_space=artifact_pb2.COLOR_SPACE_SRGB,
            )
    except Exception as error:  # decoders raise anything over broken files
        _log.info("an upload is not the image that it claims to be", media_type=media_type, reason=str(error))
        return None
