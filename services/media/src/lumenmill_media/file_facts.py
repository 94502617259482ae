"""Facts of files of media, read from their headers: what a reader needs to know before it opens them."""

from pathlib import Path
from typing import TypedDict

from lumenmill.common.v1.artifact_pb2 import ImageFacts, VideoFacts
from lumenmill_common.decoding import STILL_LIMITS, decoder, decoding_pool
from lumenmill_media.display_images import still_facts
from lumenmill_media.exr import exr_facts
from lumenmill_media.pictures import LIMITS
from lumenmill_media.probe import file_clip_facts
from lumenmill_media.radiance import radiance_facts

__all__ = ["MediaFacts", "media_facts"]

_STILLS = frozenset({"image/jpeg", "image/png", "image/webp"})
# Eleven hours at 25 frames per second.
_MAX_FRAMES = 1_000_000


class MediaFacts(TypedDict, total=False):
    """The facts of an artifact: those of an image or of a clip, or none."""

    image: ImageFacts
    video: VideoFacts


def media_facts(path: Path, media_type: str, field: str) -> MediaFacts:
    """Return the facts of an image or a clip; of a clip, the first frame is decoded and the others are counted.

    None are returned for other media, and for images that no service reads since they are too large.

    Raises:
        InvalidArgumentError: naming `field`; the file is damaged, or cannot be read; the text says why.
    """
    if media_type.startswith("video/"):
        return MediaFacts(video=file_clip_facts(path, field, _MAX_FRAMES))
    if not media_type.startswith("image/") or path.stat().st_size > LIMITS.max_bytes:
        return MediaFacts()
    image = decoding_pool().run(_image_facts, path, media_type, field=field, limits=STILL_LIMITS)
    return MediaFacts(image=ImageFacts.FromString(image))


@decoder
def _image_facts(path: Path, media_type: str) -> bytes:
    """Return a serialized ImageFacts."""
    data = path.read_bytes()
    if media_type in _STILLS:
        return still_facts(data).SerializeToString()
    if media_type == "image/x-exr":
        return exr_facts(data, LIMITS.max_float_pixels).SerializeToString()
    return radiance_facts(data, LIMITS.max_float_pixels).SerializeToString()
