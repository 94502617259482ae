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

__all__ = ["open_clip"]

_UNREADABLE = "is damaged, or not a clip that FFmpeg can decode"
_NO_INDEX = "is cut off: its index (moov), which such files have at their end, is missing; send the whole clip"
_CUT_OFF = "is cut off: its last {} bytes are missing; send the whole clip"
# FFmpeg's demuxer for each media type. Left to itself it chooses by the content, and some of its formats are lists of
# other files and addresses, which it opens.
_DEMUXERS = {
    "video/mp2t": "mpegts",
    "video/mp4": "mp4",
    "video/mpeg": "mpeg",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
}
# MPEG video without a container has the same media type.
_MPEG_VIDEO_MAGIC = b"\x00\x00\x01\xb3"
_READ = "send a clip in MP4, QuickTime, WebM, Matroska, AVI or MPEG"
_BOX_HEADER_BYTES = 8
_WITH_BOXES = ("video/mp4", "video/quicktime")
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
    demuxer = _demuxer(path, field)
    try:
        with av.open(
            str(path),
            format=demuxer,
            options={"protocol_whitelist": "file"},
            # Titles and comments in other encodings than UTF-8 are no reason to refuse a clip.
            metadata_errors="replace",
        ) as container:
            yield container, _video_stream(container, field, limits)
    except MemoryError:
        raise
    except FrameError as error:
        raise InvalidArgumentError(field, str(error)) from error
    except (av.FFmpegError, ValueError) as error:
        raise InvalidArgumentError(field, _UNREADABLE) from error


def _demuxer(path: Path, field: str) -> str:
    """Return the name of the demuxer for a file, by its first bytes.

    Raises:
        InvalidArgumentError: it is no clip of a format that is read, or is cut off; says what it is.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    kind = kind_of_bytes(head)
    if kind is None:
        raise InvalidArgumentError(field, f"{_UNREADABLE}; {_READ}")
    if kind.media_type.startswith("image/"):
        raise InvalidArgumentError(field, f"is {kind.name}; send a clip")
    if kind.media_type not in _DEMUXERS:
        raise InvalidArgumentError(field, f"is {kind.name}; {_READ}")
    if kind.media_type in _WITH_BOXES:
        _check_boxes(path, field)
    return "mpegvideo" if head.startswith(_MPEG_VIDEO_MAGIC) else _DEMUXERS[kind.media_type]


def _check_boxes(path: Path, field: str) -> None:
    """Check that an MP4 or QuickTime file has its index, without which no frame is found, and all of its frames.

    Of a fragmented file, each fragment has an index of its own: those that are there can be read.
    """
    size_bytes, boxes = path.stat().st_size, list(_boxes(path))
    if not next((end <= size_bytes for name, end in boxes if name == b"moov"), False):
        raise InvalidArgumentError(field, _NO_INDEX)
    last_name, end = boxes[-1]
    num_missing = end - size_bytes if last_name == b"mdat" else 0  # others may be any bytes after the clip
    if num_missing > 0 and not any(name == b"moof" for name, _ in boxes):
        raise InvalidArgumentError(field, _CUT_OFF.format(num_missing))


def _boxes(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the name of each box of an MP4 or QuickTime file, and the offset of its end, which may be beyond the file.

    A box whose length is not stated goes on to the end of the file.
    """
    size_bytes, offset = path.stat().st_size, 0
    with path.open("rb") as file:
        for _ in range(_MAX_BOXES):
            file.seek(offset)
            header = file.read(_BOX_HEADER_BYTES)
            if len(header) < _BOX_HEADER_BYTES:
                return
            length, name = struct.unpack(">I4s", header)
            if length == 1:
                wide = file.read(8)
                length = struct.unpack(">Q", wide)[0] if len(wide) == 8 else 0
            if length < _BOX_HEADER_BYTES:
                yield name, size_bytes
                return
            offset += length
            yield name, offset
            if offset >= size_bytes:
                return


def _shown_stream(container: "av.container.InputContainer") -> object:
    """Return the best video stream. One of a single frame is a cover, where there is another stream."""
    best = container.streams.best("video")
    if not isinstance(best, av.VideoStream) or best.frames != 1:
        return best
    others = [stream for stream in container.streams.video if stream.frames != 1 and stream.codec_context is not None]
    return max(others, key=lambda stream: stream.width * stream.height, default=best)


def _video_stream(container: "av.container.InputContainer", field: str, limits: Limits) -> "av.VideoStream":
    stream = _shown_stream(container)
    if not isinstance(stream, av.VideoStream):
        raise InvalidArgumentError(field, "has no video stream")
    if stream.codec_context is None:
        raise InvalidArgumentError(field, "has a video stream with a codec that FFmpeg cannot decode")
    if stream.width * stream.height > limits.max_pixels:
        size = f"{stream.width}×{stream.height}"
        raise InvalidArgumentError(field, f"has frames of {size} pixels, more than the {limits.max_pixels} allowed")
    return stream
