"""Decode pixels of Radiance files: uncompressed, in old runs of pixels, or in runs of each channel of a scanline."""

import numpy as np
from numpy.typing import NDArray

from lumenmill_media.radiance_runs import ChannelRuns, may_be_by_channel

__all__ = ["decode_scanlines"]

Quads = NDArray[np.uint8]
Pixels = NDArray[np.uint32]
"""The four bytes of each pixel as one little-endian number."""

_PIXEL = np.dtype("<u4")
_PIXEL_BYTES = 4
# (1, 1, 1, n) is a run.
_RUN, _RUN_MASK, _COUNT_SHIFT = 0x010101, 0xFFFFFF, 24
# Lengths of old runs have at most four bytes.
_MAX_CONSECUTIVE_RUNS = 4
_MAX_PIXELS_AT_ONCE = 1 << 18


def decode_scanlines(data: bytes, offset: int, num_scanlines: int, length: int) -> Quads:
    """Return the four bytes of each pixel, (num_scanlines, length, 4). Each scanline may be coded in its own way.

    The time is that of the pixels and bytes, besides some 0.1 ms for a scanline in another coding than that before it.

    Raises:
        ValueError, IndexError: the bytes of `data` from `offset` on are too few, or damaged.
    """
    pixels = np.empty(num_scanlines * length, _PIXEL)
    quads = pixels.view(np.uint8).reshape(num_scanlines, length, _PIXEL_BYTES)
    runs = ChannelRuns(data, length) if may_be_by_channel(length) else None
    old = _OldPixels(data, length, runs.header if runs else None)
    index = 0
    while index < len(pixels):
        if runs and index % length == 0 and data.startswith(runs.header, offset):
            num_rows, offset = runs.decode(offset, quads[index // length :])
            index += num_rows * length
        else:
            index, offset = old.decode(offset, pixels, index)
    return quads


class _OldPixels:
    """Decodes pixels of one file that are uncompressed or in old runs, which may go on over the end of a scanline."""

    def __init__(self, data: bytes, length: int, header: bytes | None) -> None:
        """`header` is what a scanline in another coding begins with; None where there can be none."""
        self._data, self._length = data, length
        self._header = None if header is None else int.from_bytes(header, "little")
        self._num_ahead = length

    def decode(self, offset: int, pixels: Pixels, index: int) -> tuple[int, int]:
        """Decode into `pixels` from `index` on, up to a scanline in another coding; return the next index and offset.

        A run (1, 1, 1, n) repeats the pixel before it n times, a second one after it n × 256 times, and so on.

        Raises:
            ValueError: the file ends, or begins with a run.
        """
        num_wanted = min(len(pixels) - index, self._num_ahead)
        num_left = (len(self._data) - offset) // _PIXEL_BYTES
        if num_left <= 0:
            raise ValueError("no more pixels")
        coming = np.frombuffer(self._data, _PIXEL, min(num_wanted + _MAX_CONSECUTIVE_RUNS, num_left), offset)
        is_run = (coming & _RUN_MASK) == _RUN
        if is_run.any():
            return self._with_runs(coming, is_run, num_wanted, offset, pixels, index)
        ends = np.arange(index + 1, index + 1 + min(num_wanted, len(coming)))
        num_used = self._up_to_header(coming, ends)
        pixels[index : index + num_used] = coming[:num_used]
        return index + num_used, offset + _PIXEL_BYTES * num_used

    def _with_runs(
        self, coming: Pixels, is_run: NDArray[np.bool_], num_wanted: int, offset: int, pixels: Pixels, index: int
    ) -> tuple[int, int]:
        if is_run[0] and index == 0:
            raise ValueError("a run without a pixel before it")
        places = np.arange(len(coming))
        origins = np.maximum.accumulate(np.where(is_run, -1, places))
        shifts = np.minimum(places - origins - 1, _MAX_CONSECUTIVE_RUNS) * 8
        counts = (coming >> _COUNT_SHIFT).astype(np.int64)
        lengths = np.where(is_run, counts << np.maximum(shifts, 0), 1)
        ends = index + np.cumsum(lengths)
        num_used = int(np.searchsorted(ends, index + num_wanted)) + 1
        while num_used < len(coming) and is_run[num_used - 1] and is_run[num_used]:
            num_used += 1
        num_used = self._up_to_header(coming, ends[:num_used])
        before = pixels[index - 1 : index] if index else coming[:1]
        lengths = np.minimum(lengths[:num_used], len(pixels) - index)
        repeated = np.concatenate([before, coming[:num_used]])[np.repeat(origins[:num_used] + 1, lengths)]
        decoded = repeated[: len(pixels) - index]
        pixels[index : index + len(decoded)] = decoded
        return index + len(decoded), offset + _PIXEL_BYTES * len(lengths)

    def _up_to_header(self, coming: Pixels, ends: NDArray[np.int64]) -> int:
        """Return how many of the quads that end before the pixels `ends` precede the header of a scanline.

        Chooses how many pixels to look ahead next time, too: a file may change its coding with every scanline.
        """
        if self._header is not None:
            following = coming[1 : len(ends) + 1]
            is_header = (following == self._header) & (ends[: len(following)] % self._length == 0)
            if is_header.any():
                self._num_ahead = self._length
                return int(is_header.argmax()) + 1
        self._num_ahead = max(min(2 * self._num_ahead, _MAX_PIXELS_AT_ONCE), self._length)
        return len(ends)
