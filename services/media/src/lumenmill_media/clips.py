"""Sample frames of a clip at even times, and reduce all frames for measurements of motion and flicker."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.decoding import CLIP_LIMITS, decoder, decoder_result, decoding_pool
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media.clip_files import open_clip
from lumenmill_media.color_spaces import srgb_to_linear
from lumenmill_media.frames import upright_pixels, upright_size
from lumenmill_media.pictures import LIMITS, Limits, Picture, clipped_fractions, reduced

__all__ = ["GRID_CELLS", "THUMBNAIL_SIDE_PX", "Clip", "Frame", "Track", "read_clip"]

Array = NDArray[np.float32]

THUMBNAIL_SIDE_PX = 96
GRID_CELLS = 16
_NUM_THUMBNAILS = 25
# Each decodes a frame of its own, which takes 100 MB for 8K.
_DECODING_THREADS = 4
# Flicker is measured in at most this many first frames, which take 20 MB of cells.
_MAX_CELL_FRAMES = 20_000
_USUAL_RATE = Fraction(24)
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@decoder_result
@dataclass(frozen=True)
class Frame:
    """One sampled frame: its number, its time from the start of the clip in seconds, and its picture."""

    index: int
    time_s: float
    picture: Picture


@decoder_result
@dataclass(frozen=True)
class Track:
    """Reduced frames of a clip, in which changes between frames are measured.

    cells: (N, 16, 16) mean linear luminance of each cell of a 16 × 16 grid, in N consecutive frames.
    thumbnails: (T, h, w, 3) linear Rec. 709, at even times over the clip; the longer side is `THUMBNAIL_SIDE_PX`.
    thumbnail_frames: (T,) the frame number of each thumbnail.
    times_s: when each frame of the clip is shown, in seconds from the first one.
    """

    cells: Array
    thumbnails: Array
    thumbnail_frames: NDArray[np.int64]
    times_s: NDArray[np.float64]

    @property
    def thumbnail_times_s(self) -> NDArray[np.float64]:
        """When each thumbnail is shown, in seconds from the first frame."""
        return self.times_s[self.thumbnail_frames]


@decoder_result
@dataclass(frozen=True)
class Clip:
    """Sampled frames of a clip of `num_frames` frames, and its reduced frames."""

    frames: tuple[Frame, ...]
    num_frames: int
    track: Track

    def time_fraction(self, frame: Frame) -> float:
        """Return when a frame is shown, as a fraction of the time from the first frame to the last."""
        last_s = float(self.track.times_s[-1])
        return frame.time_s / last_s if last_s > 0.0 else 0.0


def read_clip(
    store: ArtifactStore,
    artifact: artifact_pb2.Artifact,
    field: str,
    num_samples: int,
    limits: Limits = LIMITS,
) -> Clip:
    """Return `num_samples` frames (all frames of a shorter clip) at even times from the first to the last.

    Raises:
        InvalidArgumentError: naming `field`; the artifact is not a clip that FFmpeg can decode, has no frames, frames
            that are too large, or frames of several sizes, or takes too long.
        CancelledError: the job was cancelled.
    """
    with store.local_file(artifact, field=field) as path:
        return decoding_pool().run(_clip, path, field, num_samples, limits, field=field, limits=CLIP_LIMITS)


@decoder
def _clip(path: Path, field: str, num_samples: int, limits: Limits) -> Clip:
    with open_clip(path, field, limits) as (container, stream):
        times = _times(container, stream, field)
    with open_clip(path, field, limits) as (container, stream):
        frames, track = _decoded(container, stream, field, times, num_samples, limits)
        if not frames:
            raise InvalidArgumentError(field, "has no frame that can be decoded")
    return Clip(tuple(frames), len(times), track)


def _times(container: "av.container.InputContainer", stream: "av.VideoStream", field: str) -> NDArray[np.int64]:
    """Return when each frame is shown, in the time base of the stream, in the order of showing."""
    # The number of frames that a container states may be wrong, so packets are counted; they are not decoded.
    stamps = array("q")
    is_stamped = True
    for packet in container.demux(stream):
        if packet.size > 0:
            is_stamped = is_stamped and packet.pts is not None
            stamps.append(packet.pts if packet.pts is not None else len(stamps))
    if not stamps:
        raise InvalidArgumentError(field, "has no frames")
    return np.sort(np.asarray(stamps, np.int64)) if is_stamped else np.arange(len(stamps)) * _interval(stream)


def _interval(stream: "av.VideoStream") -> int:
    """Return the mean interval between frames by the rate that a file states, in the time base of the stream."""
    rate, time_base = stream.average_rate or _USUAL_RATE, stream.time_base or 1 / _USUAL_RATE
    return max(round(1 / (rate * time_base)), 1)


def _evenly(times: NDArray[np.int64], num_samples: int) -> set[int]:
    """Return the numbers of the frames nearest to so many even times: frames may be shown for different times."""
    num_samples = min(num_samples, len(times))
    wanted = np.linspace(times[0], times[-1], num_samples)
    later = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1)) if len(times) > 1 else np.zeros(1, int)
    earlier = np.maximum(later - 1, 0)
    nearer = np.where(wanted - times[earlier] <= times[later] - wanted, earlier, later)
    return set(nearer.tolist())


def _decoded(
    container: "av.container.InputContainer",
    stream: "av.VideoStream",
    field: str,
    times: NDArray[np.int64],
    num_samples: int,
    limits: Limits,
) -> tuple[list[Frame], Track]:
    stream.thread_type, stream.codec_context.thread_count = "AUTO", _DECODING_THREADS
    sampled, small = _evenly(times, num_samples), _evenly(times, _NUM_THUMBNAILS)
    frames: list[Frame] = []
    stamps: list[int | None] = []
    cells: list[Array] = []
    thumbnails: dict[int, Array] = {}
    size_px: tuple[int, int] | None = None
    for index, frame in enumerate(container.decode(stream)):
        size_px = size_px or (frame.width, frame.height)
        if (frame.width, frame.height) != size_px or frame.width * frame.height > limits.max_pixels:
            raise InvalidArgumentError(
                field, f"changes its size to {frame.width}×{frame.height} pixels; send a clip of one size"
            )
        stamps.append(frame.pts)
        if index < _MAX_CELL_FRAMES:
            cells.append(_shrunk(frame, GRID_CELLS, GRID_CELLS) @ _LUMINANCE)
        if index in small:
            scale = THUMBNAIL_SIDE_PX / max(frame.width, frame.height)
            width, height = (max(round(side * scale), GRID_CELLS) for side in upright_size(frame))
            thumbnails[index] = _shrunk(frame, width, height)
        if index in sampled:
            frames.append(_frame(frame, index, limits))
    times_s = _shown_s(stamps, times, stream)
    first_size = next(iter(thumbnails.values())).shape if thumbnails else (GRID_CELLS, GRID_CELLS, 3)
    track = Track(
        np.asarray(cells, np.float32).reshape(-1, GRID_CELLS, GRID_CELLS),
        np.asarray(list(thumbnails.values()), np.float32).reshape(-1, *first_size),
        np.fromiter(thumbnails, np.int64, len(thumbnails)),
        times_s,
    )
    return [replace(frame, time_s=float(times_s[frame.index])) for frame in frames], track


def _shrunk(frame: "av.VideoFrame", width: int, height: int) -> Array:
    """Return the frame reduced to linear (height, width, 3) by area averaging of its display values."""
    return srgb_to_linear(upright_pixels(frame, (width, height)).astype(np.float32) / 255.0)


def _shown_s(stamps: Sequence[int | None], times: NDArray[np.int64], stream: "av.VideoStream") -> NDArray[np.float64]:
    """Return when each decoded frame is shown, in seconds from the first one.

    Where the stamps of frames are missing or go back, as in AVI files, their order and the sorted stamps of packets say
    it. Containers may start at any time; transport streams mostly start at 1.4 s.
    """
    own = [stamp for stamp in stamps if stamp is not None]
    shown = np.asarray(own, np.int64)
    if len(own) < len(stamps) or (np.diff(shown) <= 0).any():
        num_more = max(len(stamps) - len(times), 0)
        later = times[-1] + _interval(stream) * np.arange(1, num_more + 1)
        shown = np.concatenate([times, later])[: len(stamps)]
    first = shown[0] if len(shown) else 0
    return np.asarray((shown - first) * float(stream.time_base or 1 / _USUAL_RATE), np.float64)


def _frame(frame: "av.VideoFrame", index: int, limits: Limits) -> Frame:
    """Return a frame whose time is not known yet."""
    pixels = upright_pixels(frame)
    clipped = clipped_fractions(pixels, np.ones(pixels.shape[:2], np.float32), white=254, black=1)
    display = np.divide(pixels, 255.0, dtype=np.float32)
    linear = reduced(srgb_to_linear(display), limits.measured_side_px)
    shown = reduced(display, limits.measured_side_px)
    picture = Picture(linear, shown, np.ones(shown.shape[:2], np.float32), upright_size(frame), clipped)
    return Frame(index, 0.0, picture)
