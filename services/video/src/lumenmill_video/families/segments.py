"""The length of a clip, and the segments of one that is longer than what its model makes at once.

Each segment but the first starts with the last frame of the one before, which is not repeated in the clip.
"""

import errno
import os
import tempfile

import numpy as np
from numpy.typing import NDArray

from lumenmill_common.errors import InvalidArgumentError, ResourceExhaustedError

__all__ = ["frame_file", "num_frames_of", "segments_of"]

_GIB = 1 << 30
# Refusals round the shortest duration to four digits.
_ROUNDING = 1e-3
# Files are deleted when other clips are finished.
_RETRY_DELAY_S = 60.0
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def num_frames_of(duration_s: float, fps: float, frame_step: int, min_num_frames: int) -> int:
    """Return the number of frames that last closest to a duration, of those that a model can make: at least
    `min_num_frames`, and one more than a multiple of `frame_step`.

    Raises:
        InvalidArgumentError: `min_num_frames` last longer; names ``duration_s`` and the shortest one.
    """
    if duration_s * fps < min_num_frames * (1.0 - _ROUNDING):
        frames = "one frame" if min_num_frames == 1 else f"the {min_num_frames} frames of the shortest clip"
        shortest = f"{min_num_frames / fps:.4g}: {frames} at {fps:g} per second"
        raise InvalidArgumentError("duration_s", f"is {duration_s:g}; at least {shortest}")
    return max(1 + frame_step * round((duration_s * fps - 1) / frame_step), min_num_frames)


def segments_of(num_frames: int, max_num_frames: int, frame_step: int) -> tuple[int, ...]:
    """Return the frames of each segment of a clip; one segment if the model makes the clip at once.

    The numbers are as even as possible, each at most `max_num_frames` and one more than a multiple of `frame_step`, as
    `num_frames` is. Segments of f₁, f₂, … frames make 1 + Σ(fᵢ − 1) frames.
    """
    num_steps, most = (max(number - 1, 0) // frame_step for number in (num_frames, max_num_frames))
    num_segments = max(-(-num_steps // max(most, 1)), 1)
    each, remaining = divmod(num_steps, num_segments)
    return tuple(1 + frame_step * (each + (index < remaining)) for index in range(num_segments))


def frame_file(num_frames: int, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an array (F, H, W, 3) in a temporary file, which is deleted with the array: long clips are larger than the
    memory.

    Raises:
        ResourceExhaustedError: the disk has too little space, as far as its file system can reserve it.
    """
    shape = (num_frames, size_px[1], size_px[0], 3)
    num_bytes = int(np.prod(shape))
    with tempfile.TemporaryFile(prefix="lumenmill-frames-") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, num_bytes)
        except OSError as error:
            if error.errno not in _NO_SPACE:  # the file system cannot reserve space: EOPNOTSUPP, EINVAL
                file.truncate(num_bytes)
                return np.memmap(file, np.uint8, "r+", shape=shape)
            raise ResourceExhaustedError(
                f"the frames of the clip need {num_bytes / _GIB:.2f} GiB in {tempfile.gettempdir()}: {error.strerror}; "
                "ask for a shorter or smaller clip, or name a larger disk in TMPDIR",
                retry_delay_s=_RETRY_DELAY_S,
            ) from error
        return np.memmap(file, np.uint8, "r+", shape=shape)
