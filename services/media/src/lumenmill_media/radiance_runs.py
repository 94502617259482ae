"""Scanlines of Radiance files that are run-length coded channel by channel.

Where a scanline begins is known only when the one before it is decoded. So that files of many short runs do not take a
step of Python for each run, the bytes that open a scanline are searched for ahead; the runs of all scanlines that seem
to begin there are followed side by side, and those that prove to follow each other are decoded.
"""

import re
from itertools import islice

import numpy as np
from numpy.typing import NDArray

__all__ = ["ChannelRuns", "TooManyRunsError", "may_be_by_channel"]

Quads = NDArray[np.uint8]
Places = NDArray[np.int64]
Steps = NDArray[np.int32]

_NUM_CHANNELS = 4
# Fewer scanlines are faster one by one; more take too much memory.
_MIN_SIDE_BY_SIDE, _MAX_SIDE_BY_SIDE, _MAX_PIXELS_SIDE_BY_SIDE = 64, 1024, 1 << 22
_STEPS_AT_ONCE = 256
# A run that is followed alone takes the time of four that are followed side by side, some 0.2 µs. The largest pictures
# in runs of two values are within the bound; encoders write so short ones uncompressed.
_WORK_ALONE, _MAX_WORK = 4, 96_000_000
# Values that are decoded at once, so that they stay in the processor's cache.
_VALUES_AT_ONCE = 1 << 17

# By the first byte of a run: the bytes that it takes, and the values that it stands for. No run is of none.
_NUM_BYTES = bytes(2 if first > 128 else first + 1 for first in range(256))
_NUM_VALUES = bytes(first - 128 if first > 128 else first for first in range(256))


class TooManyRunsError(ValueError):
    """A file of more runs than are read; the text says what can be done."""


def may_be_by_channel(length: int) -> bool:
    """Return whether scanlines of this length may be coded channel by channel."""
    return 8 <= length < 32768


class ChannelRuns:
    """Decodes consecutive scanlines of `length` pixels of one file."""

    def __init__(self, data: bytes, length: int) -> None:
        self._data, self._body, self._length = data, np.frombuffer(data, np.uint8), length
        self.header = bytes([2, 2, length >> 8, length & 255])
        """The bytes before each scanline of this coding."""
        self._opening = re.compile(re.escape(self.header))
        self._num_values = _NUM_CHANNELS * length
        self._num_ahead, self._work = 1, 0

    def decode(self, offset: int, rows: Quads) -> tuple[int, int]:
        """Decode the scanline at `offset`, and as many of those after it as are found, into `rows` (R, length, 4).

        Returns the number of decoded scanlines and the offset after them.

        Raises:
            TooManyRunsError: the file has more runs than any encoder makes.
            ValueError, IndexError: the scanline at `offset` is cut off, or a run goes beyond its channel.
        """
        num_ahead = min(self._num_ahead, len(rows))
        starts = self._starts(offset, num_ahead) if num_ahead >= _MIN_SIDE_BY_SIDE else [offset]
        runs, end = self._followed_side_by_side(starts) if len(starts) > 1 else self._followed(offset)
        if self._work > _MAX_WORK:
            raise TooManyRunsError("has more short runs than are read; write it uncompressed")
        self._decode_runs(runs, rows[: len(runs)])
        # The search goes on only while it finds scanlines: a file may hold any number of bytes that look like one.
        is_worthwhile = 2 * len(runs) >= len(starts)
        most = min(_MAX_SIDE_BY_SIDE, _MAX_PIXELS_SIDE_BY_SIDE // self._length)
        self._num_ahead = min(self._num_ahead + len(runs), most) if is_worthwhile else 1
        return len(runs), end

    def _starts(self, offset: int, num_ahead: int) -> list[int]:
        """Return `offset`, and where after it scanlines seem to begin, as many as can be."""
        longest = len(self.header) + 2 * self._num_values
        found = self._opening.finditer(self._data, offset + len(self.header), offset + num_ahead * longest)
        return [offset, *(match.start() for match in islice(found, num_ahead - 1))]

    def _followed(self, offset: int) -> tuple[list[Places], int]:
        """Return where the runs of one scanline begin, as the only array of a list, and the offset after them."""
        data, at, num_left = self._data, offset + len(self.header), self._num_values
        runs = []
        while num_left > 0:
            runs.append(at)
            first = data[at]
            if not first:
                raise ValueError("a run of no values")
            num_left -= _NUM_VALUES[first]
            at += _NUM_BYTES[first]
        if num_left < 0 or at > len(data):
            raise ValueError("a run beyond its scanline or the file")
        self._work += _WORK_ALONE * len(runs)
        return [np.array(runs, np.int64)], at

    def _followed_side_by_side(self, starts: list[int]) -> tuple[list[Places], int]:
        """Return where the runs of each scanline begin, for those that follow the first one, and the offset after them.

        Those with far more runs than most others are left for later.
        """
        origin = starts[0]
        longest = len(self.header) + 2 * self._num_values
        window = self._data[origin : starts[-1] + longest]
        at, num_left = self._steps(window, np.array(starts, np.int32) - np.int32(origin) + len(self.header))
        self._work += at.size
        # Runs of a scanline that has ended are followed on, and not counted.
        num_runs = np.count_nonzero(num_left > 0, axis=0)
        candidates = np.arange(len(starts))
        last = np.minimum(num_runs, len(at) - 1)
        ends = origin + at[last, candidates].astype(np.int64)
        is_whole = (num_left[last, candidates] == 0) & (ends <= len(self._data))
        index_of = {start: index for index, start in enumerate(starts) if is_whole[index]}
        found, end = [], origin
        while (index := index_of.get(end)) is not None:
            found.append(index)
            end = int(ends[index])
        if not found:
            raise ValueError("a run beyond its scanline or the file")
        by_candidate = np.ascontiguousarray(at.T[: found[-1] + 1])
        return [origin + by_candidate[index, : num_runs[index]].astype(np.int64) for index in found], end

    def _steps(self, window: bytes, at: Steps) -> tuple[Steps, Steps]:
        """Follow the runs of possible scanlines from `at` (C,) until the first scanline and most others have ended.

        Returns, after each step, where in `window` the next runs begin, and how many values are left, both (S + 1, C).
        """
        num_bytes = np.frombuffer(window.translate(_NUM_BYTES), np.uint8)
        num_values = np.frombuffer(window.translate(_NUM_VALUES), np.uint8)
        places, numbers_left = [at[None]], [np.full((1, len(at)), self._num_values, np.int32)]
        for _ in range(0, self._num_values, _STEPS_AT_ONCE):
            place = np.empty((_STEPS_AT_ONCE, len(at)), np.int32)
            num_left = np.empty_like(place)
            before, left_before = places[-1][-1], numbers_left[-1][-1]
            for step in range(_STEPS_AT_ONCE):
                np.subtract(left_before, num_values.take(before, mode="clip"), out=num_left[step])
                np.add(before, num_bytes.take(before, mode="clip"), out=place[step])
                before, left_before = place[step], num_left[step]
            places.append(place)
            numbers_left.append(num_left)
            if left_before[0] <= 0 and 2 * np.count_nonzero(left_before <= 0) >= len(at):
                break
        return np.concatenate(places), np.concatenate(numbers_left)

    def _decode_runs(self, scanlines: list[Places], rows: Quads) -> None:
        """Decode whole scanlines, given where the runs of each begin, into `rows` (R, length, 4)."""
        num_at_once = max(_VALUES_AT_ONCE // self._num_values, 1)
        for row in range(0, len(scanlines), num_at_once):
            values = self._values(np.concatenate(scanlines[row : row + num_at_once]))
            rows[row : row + num_at_once] = values.reshape(-1, _NUM_CHANNELS, self._length).transpose(0, 2, 1)

    def _values(self, at: Places) -> NDArray[np.uint8]:
        """Return the values of the runs of whole scanlines that begin at `at`."""
        first = self._body[at]
        if not first.all():
            raise ValueError("a run of no values")
        is_repeated = first > 128
        num_values = np.where(is_repeated, first - 128, first).astype(np.int64)
        ends = np.cumsum(num_values)
        channel_ends = np.arange(self._length, ends[-1] + 1, self._length)
        if (ends[np.searchsorted(ends, channel_ends)] != channel_ends).any():
            raise ValueError("a run beyond its channel")
        # From value to value, by how many bytes the places of their bytes differ.
        differences = np.repeat(np.where(is_repeated, 0, 1), num_values)
        last = at + np.where(is_repeated, 1, num_values)
        differences[ends[:-1]] = at[1:] + 1 - last[:-1]
        differences[0] = at[0] + 1
        return np.asarray(self._body[np.cumsum(differences)])
