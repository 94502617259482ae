"""Facts of uploaded images, read from their headers."""

import re
from pathlib import Path

from PIL import Image

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.telemetry import get_logger

__all__ = ["check_media_type", "image_facts"]

_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_MAGIC = {"image/jpeg": re.compile(rb"\xff\xd8\xff"), "image/png": re.compile(rb"\x89PNG\r\n\x1a\n")}
_MAGIC["image/webp"] = re.compile(rb"RIFF....WEBP", re.DOTALL)
_log = get_logger(__name__)


def check_media_type(path: Path, media_type: str, field: str) -> None:
    """Check that an image has the format of its media type, which names its file in datasets.

    Raises:
        InvalidArgumentError: the bytes are an image of another format; names `field`.
    """
    if media_type not in _FORMATS:
        return
    with path.open("rb") as file:
        start = file.read(16)
    found = next((kind for kind, magic in _MAGIC.items() if magic.match(start)), media_type)
    if found != media_type:
        raise InvalidArgumentError(field, f"is {media_type}, but the bytes are {found}; rename the file to match")


def image_facts(path: Path, media_type: str) -> artifact_pb2.ImageFacts | None:
    """Return size and channels of a display-referred image; None for other media and for broken images."""
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
    except Exception as error:  # decoders raise all kinds of errors on broken files
        _log.info("an upload is not an image of its media type", media_type=media_type, reason=str(error))
        return None
