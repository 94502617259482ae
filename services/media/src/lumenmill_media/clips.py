"""Sample frames of a clip at even distances, and reduce all frames for measurements of motion and flicker."""

from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import JobContext
from lumenmill_media.clip_files import open_clip
from lumenmill_media.color_spaces import srgb_to_linear
from lumenmill_media.pictures import LIMITS, Limits, Picture, clipped_fractions, reduced

__all__ = ["GRID_CELLS", "THUMBNAIL_SIDE_PX", "Clip", "Frame", "Track", "read_clip"]

Array = NDArray[np.float32]

THUMBNAIL_SIDE_PX = 96
GRID_CELLS = 16
_NUM_THUMBNAILS = 25
# Flicker is measured in at most this many first frames, which take 20 MB of cells.
_MAX_CELL_FRAMES = 20_000
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Frame:
    """One sampled frame: its number, its time from the start of the clip in seconds, and its picture."""

    index: int
    time_s: float
    picture: Picture


@dataclass(frozen=True)
class Track:
    """Reduced frames of a clip, in which changes between frames are measured.

    cells: (N, 16, 16) mean linear luminance of each cell of a 16 × 16 grid, in N consecutive frames.
    thumbnails: (T, h, w, 3) linear Rec. 709, at even distances over the clip; the longer side is `THUMBNAIL_SIDE_PX`.
    thumbnail_frames: (T,) the frame number of each thumbnail.
    frame_rate: frames per second.
    """

    cells: Array
    thumbnails: Array
    thumbnail_frames: NDArray[np.int64]
    frame_rate: float


@dataclass(frozen=True)
class Clip:
    """Sampled frames of a clip of `num_frames` frames, and its reduced frames."""

    frames: tuple[Frame, ...]
    num_frames: int
    track: Track


def read_clip(
    store: ArtifactStore,
    artifact: artifact_pb2.Artifact,
    field: str,
    num_samples: int,
    job: JobContext,
    limits: Limits = LIMITS,
) -> Clip:
    """Return `num_samples` frames (all frames of a shorter clip) at even distances from the first to the last.

    Raises:
        InvalidArgumentError: naming `field`; the artifact is not a clip that FFmpeg can decode, has no frames, frames
            that are too large, or frames of several sizes.
        CancelledError: the job was cancelled.
    """
    with store.local_file(artifact, field=field) as path:
        with open_clip(path, field, limits) as (container, stream):
            num_frames = _count(container, stream, field, job)
        with open_clip(path, field, limits) as (container, stream):
            frames, track = _decoded(container, stream, field, num_frames, num_samples, limits, job)
    return Clip(tuple(frames), num_frames, track)


def _count(container: "av.container.InputContainer", stream: "av.VideoStream", field: str, job: JobContext) -> int:
    # The number of frames that a container states may be wrong, so packets are counted; they are not decoded.
    num_frames = 0
    for packet in container.demux(stream):
        job.check_cancelled()
        num_frames += packet.size > 0
    if num_frames == 0:
        raise InvalidArgumentError(field, "has no frames")
    return num_frames


def _evenly(num_frames: int, num_samples: int) -> set[int]:
    return set(np.linspace(0, num_frames - 1, min(num_samples, num_frames)).round().astype(int).tolist())


def _decoded(
    container: "av.container.InputContainer",
    stream: "av.VideoStream",
    field: str,
    num_frames: int,
    num_samples: int,
    limits: Limits,
    job: JobContext,
) -> tuple[list[Frame], Track]:
    stream.thread_type = "AUTO"
    sampled, small = _evenly(num_frames, num_samples), _evenly(num_frames, _NUM_THUMBNAILS)
    frames: list[Frame] = []
    cells: list[Array] = []
    thumbnails: dict[int, Array] = {}
    size_px: tuple[int, int] | None = None
    for index, frame in enumerate(container.decode(stream)):
        job.check_cancelled()
        size_px = size_px or (frame.width, frame.height)
        if (frame.width, frame.height) != size_px or frame.width * frame.height > limits.max_pixels:
            raise InvalidArgumentError(
                field, f"changes its size to {frame.width}×{frame.height} pixels; send a clip of one size"
            )
        if index < _MAX_CELL_FRAMES:
            cells.append(_shrunk(frame, GRID_CELLS, GRID_CELLS) @ _LUMINANCE)
        if index in small:
            scale = THUMBNAIL_SIDE_PX / max(frame.width, frame.height)
            width, height = (max(round(side * scale), GRID_CELLS) for side in (frame.width, frame.height))
            thumbnails[index] = _shrunk(frame, width, height)
        if index in sampled:
            frames.append(_frame(frame, index, limits))
    first_size = next(iter(thumbnails.values())).shape if thumbnails else (GRID_CELLS, GRID_CELLS, 3)
    track = Track(
        np.asarray(cells, np.float32).reshape(-1, GRID_CELLS, GRID_CELLS),
        np.asarray(list(thumbnails.values()), np.float32).reshape(-1, *first_size),
        np.fromiter(thumbnails, np.int64, len(thumbnails)),
        float(stream.average_rate or 24.0),
    )
    return frames, track


def _shrunk(frame: "av.VideoFrame", width: int, height: int) -> Array:
    """Return the frame reduced to linear (height, width, 3) by area averaging of its display values."""
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    return srgb_to_linear(small.to_ndarray().astype(np.float32) / 255.0)


def _frame(frame: "av.VideoFrame", index: int, limits: Limits) -> Frame:
    pixels = frame.to_ndarray(format="rgb24")
    clipped = clipped_fractions(pixels, np.ones(pixels.shape[:2], np.float32), white=254, black=1)
    display = pixels.astype(np.float32) / 255.0
    linear = reduced(srgb_to_linear(display), limits.measured_side_px)
    shown = reduced(display, limits.measured_side_px)
    picture = Picture(linear, shown, np.ones(shown.shape[:2], np.float32), (frame.width, frame.height), clipped)
    return Frame(index, float(frame.time or 0.0), picture)
