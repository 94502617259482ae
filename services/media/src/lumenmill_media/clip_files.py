"""Open clip files with FFmpeg, and refuse what is no clip, is cut off or is too large."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from lumenmill_common.artifacts import HEAD_BYTES, kind_of_bytes
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media.frames import FrameError
from lumenmill_media.pictures import Limits

__all__ = ["open_clip", "refuse_pictures"]

_UNREADABLE = "is damaged, or not a clip that FFmpeg can decode"
_CUT_OFF = "is cut off: its index (moov), which such files have at their end, is missing; send the whole clip"
_BOX_HEADER_BYTES = 8
# More boxes than this before the index are no clip.
_MAX_BOXES = 10_000


@contextmanager
def open_clip(
    path: Path, field: str, limits: Limits
) -> Iterator[tuple["av.container.InputContainer", "av.VideoStream"]]:
    """Open a file and yield its container and its best video stream, which is the one that players show.

    Raises:
        InvalidArgumentError: naming `field`; the file, or what the block decodes of it, is not a clip that FFmpeg can
            decode, or its frames are too large.
    """
    if path.stat().st_size == 0:
        raise InvalidArgumentError(field, f"{_UNREADABLE}: it is empty")
    _check_kind(path, field)
    try:
        # Titles and comments in other encodings than UTF-8 are no reason to refuse a clip.
        with av.open(str(path), metadata_errors="replace") as container:
            yield container, _video_stream(container, field, limits)
    except FrameError as error:
        raise InvalidArgumentError(field, str(error)) from error
    except (av.FFmpegError, ValueError) as error:
        raise InvalidArgumentError(field, _UNREADABLE) from error


def _check_kind(path: Path, field: str) -> None:
    with path.open("rb") as file:
        kind = kind_of_bytes(file.read(HEAD_BYTES))
    if kind is None:
        return
    if not kind.media_type.startswith(("video/", "image/")):
        raise InvalidArgumentError(field, f"is {kind.name}; send a clip")
    if kind.media_type in ("video/mp4", "video/quicktime") and not _has_index(path):
        raise InvalidArgumentError(field, _CUT_OFF)


def _has_index(path: Path) -> bool:
    """Return whether an MP4 or QuickTime file has a `moov` box: readers cannot find its frames without one."""
    size_bytes, offset = path.stat().st_size, 0
    with path.open("rb") as file:
        for _ in range(_MAX_BOXES):
            file.seek(offset)
            header = file.read(_BOX_HEADER_BYTES)
            if len(header) < _BOX_HEADER_BYTES:
                return False
            length, name = struct.unpack(">I4s", header)
            if name == b"moov":
                return bool(offset + length <= size_bytes)
            if length == 1:
                wide = file.read(8)
                length = struct.unpack(">Q", wide)[0] if len(wide) == 8 else 0
            # A length of 0 means to the end of the file.
            if length < _BOX_HEADER_BYTES:
                return False
            offset += length
            if offset >= size_bytes:
                return False
    return False


def refuse_pictures(container: "av.container.InputContainer", field: str) -> None:
    """Raise InvalidArgumentError for a picture, which FFmpeg reads as a clip of one frame."""
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        raise InvalidArgumentError(field, "is a picture; send a clip")


def _video_stream(container: "av.container.InputContainer", field: str, limits: Limits) -> "av.VideoStream":
    stream = container.streams.best("video")
    if not isinstance(stream, av.VideoStream):
        raise InvalidArgumentError(field, "has no video stream")
    if stream.codec_context is None:
        raise InvalidArgumentError(field, "has a video stream with a codec that FFmpeg cannot decode")
    if stream.width * stream.height > limits.max_pixels:
        size = f"{stream.width}×{stream.height}"
        raise InvalidArgumentError(field, f"has frames of {size} pixels, more than the {limits.max_pixels} allowed")
    return stream
