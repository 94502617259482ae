"""Bound the parts of JPEG and PNG files that decoders go through one by one: small files can hold millions of them."""

import re
from collections.abc import Iterator

__all__ = ["check_parts"]

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
# Each scan of a progressive JPEG takes the time of all of its pixels. Encoders write about ten.
_MAX_SCANS = 100
# Profiles and comments of JPEG files take up to some hundred segments; chunks of PNG files mostly have 8 KiB or more.
_MAX_SEGMENTS, _MAX_CHUNKS = 10_000, 100_000
# In coded data 0xFF is followed by 0, or by the number of a restart; before markers it may be repeated.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])", re.DOTALL)
_TEMPORARY, _START, _END, _SCAN = 0x01, 0xD8, 0xD9, 0xDA
_PNG_FRAME_BYTES = 12


def check_parts(data: bytes) -> None:
    """Check that a file has no more parts than encoders write.

    Raises:
        ValueError: it has; the text says which.
    """
    if data.startswith(_JPEG):
        _check_segments(data)
    elif data.startswith(_PNG):
        _check_chunks(data)


def _check_segments(data: bytes) -> None:
    num_scans = 0
    for number, marker in enumerate(_markers(data)):
        num_scans += marker == _SCAN
        if num_scans > _MAX_SCANS:
            raise ValueError(f"has more than {_MAX_SCANS} scans; write it as a baseline JPEG")
        if number == _MAX_SEGMENTS:
            raise ValueError(f"has more than {_MAX_SEGMENTS} segments; write it without its comments")


def _markers(data: bytes) -> Iterator[int]:
    """Yield the marker of each segment of a JPEG file (ITU-T T.81, annex B), up to the end of the picture."""
    at = len(_JPEG)
    while (found := _MARKER.search(data, at)) is not None and (marker := found[1][0]) != _END:
        yield marker
        at = found.end()
        if marker not in (_TEMPORARY, _START):
            at += int.from_bytes(data[at : at + 2], "big")


def _check_chunks(data: bytes) -> None:
    at = len(_PNG)
    for _ in range(_MAX_CHUNKS):
        if at >= len(data):
            return
        at += _PNG_FRAME_BYTES + int.from_bytes(data[at : at + 4], "big")
    raise ValueError(f"has more than {_MAX_CHUNKS} chunks; write it anew")
