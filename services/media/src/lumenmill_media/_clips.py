"""A few frames of a clip, evenly over its time."""

from dataclasses import dataclass

import av
import numpy as np
from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import JobContext
from numpy.typing import NDArray

from ._pictures import LIMITS, Limits, Picture, clipped_fractions, reduced, srgb_to_linear

Array = NDArray[np.float32]

THUMBNAIL_SIDE_PX = 96
GRID_CELLS = 16
_NUM_THUMBNAILS = 25
# Longer clips are watched for flicker in their first frames alone; 20 MB of cells.
_MAX_CELL_FRAMES = 20_000
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Frame:
    """One frame: its number, its time from the start in seconds, and its picture."""

    index: int
    time_s: float
    picture: Picture


@dataclass(frozen=True)
class Track:
    """Small pictures of a clip, for what changes between frames.

    cells: (N, 16, 16) mean linear luminance of the cells of a grid, in consecutive frames.
    thumbnails: (T, h, w, 3) linear Rec. 709, evenly over the clip, longer side `THUMBNAIL_SIDE_PX`.
    thumbnail_frames: (T,) numbers of their frames.
    frame_rate: frames per second.
    """

    cells: Array
    thumbnails: Array
    thumbnail_frames: NDArray[np.int64]
    frame_rate: float


@dataclass(frozen=True)
class Clip:
    """Sampled frames of a clip of `num_frames` frames, and small pictures of it."""

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
    """Return `num_samples` frames (fewer in shorter clips), evenly from the first to the last.

    Raises:
        InvalidArgumentError: naming `field`; it is no clip that can be decoded, has no frames, frames too large, or
            frames of several sizes.
        CancelledError: the job was cancelled.
    """
    with store.local_file(artifact, field=field) as path:
        if path.stat().st_size == 0:
            raise InvalidArgumentError(field, "is empty; send a clip")
        try:
            with av.open(str(path)) as container:
                if not container.streams.video:
                    raise InvalidArgumentError(field, "has no video stream")
                num_frames = _count(container, field, limits, job)
            with av.open(str(path)) as container:
                frames, track = _decoded(container, field, num_frames, num_samples, limits, job)
        except av.FFmpegError as error:
            raise InvalidArgumentError(field, "is damaged, or not a clip that FFmpeg can decode") from error
    return Clip(tuple(frames), num_frames, track)


def _count(container: "av.container.InputContainer", field: str, limits: Limits, job: JobContext) -> int:
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise InvalidArgumentError(field, "has a video stream of no codec that FFmpeg can decode")
    if stream.width * stream.height > limits.max_pixels:
        raise InvalidArgumentError(field, f"has frames of {stream.width}×{stream.height} pixels, more than allowed")
    # Containers may tell a wrong number of frames, so that packets are counted without decoding them.
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
    field: str,
    num_frames: int,
    num_samples: int,
    limits: Limits,
    job: JobContext,
) -> tuple[list[Frame], Track]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    wanted, small = _evenly(num_frames, num_samples), _evenly(num_frames, _NUM_THUMBNAILS)
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
        if index in wanted:
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
    """Return linear (height, width, 3), averaged over areas of the frame as shown."""
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
