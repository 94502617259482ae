"""Open clip files with FFmpeg, and refuse what is no clip or is too large."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media.pictures import Limits

__all__ = ["open_clip", "refuse_pictures"]

_UNREADABLE = "is damaged, or not a clip that FFmpeg can decode"


@contextmanager
def open_clip(
    path: Path, field: str, limits: Limits
) -> Iterator[tuple["av.container.InputContainer", "av.VideoStream"]]:
    """Open a file and yield its container and its first video stream.

    Raises:
        InvalidArgumentError: naming `field`; the file, or what the block decodes of it, is not a clip that FFmpeg can
            decode, or its frames are too large.
    """
    if path.stat().st_size == 0:
        raise InvalidArgumentError(field, f"{_UNREADABLE}: it is empty")
    try:
        with av.open(str(path)) as container:
            yield container, _video_stream(container, field, limits)
    except (av.FFmpegError, ValueError) as error:
        raise InvalidArgumentError(field, _UNREADABLE) from error


def refuse_pictures(container: "av.container.InputContainer", field: str) -> None:
    """Raise InvalidArgumentError for a picture, which FFmpeg reads as a clip of one frame."""
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        raise InvalidArgumentError(field, "is a picture; send a clip")


def _video_stream(container: "av.container.InputContainer", field: str, limits: Limits) -> "av.VideoStream":
    if not container.streams.video:
        raise InvalidArgumentError(field, "has no video stream")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise InvalidArgumentError(field, "has a video stream with a codec that FFmpeg cannot decode")
    if stream.width * stream.height > limits.max_pixels:
        size = f"{stream.width}×{stream.height}"
        raise InvalidArgumentError(field, f"has frames of {size} pixels, more than the {limits.max_pixels} allowed")
    return stream
