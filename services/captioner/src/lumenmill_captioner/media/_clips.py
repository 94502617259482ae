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


@dataclass(frozen=True)
class Frame:
    """One frame: its number, its time from the start in seconds, and its picture."""

    index: int
    time_s: float
    picture: Picture


@dataclass(frozen=True)
class Clip:
    """Sampled frames of a clip of `num_frames` frames."""

    frames: tuple[Frame, ...]
    num_frames: int


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
        InvalidArgumentError: naming `field`; it is no clip that can be decoded, has no frames, or frames too large.
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
            wanted = set(np.linspace(0, num_frames - 1, min(num_samples, num_frames)).round().astype(int).tolist())
            with av.open(str(path)) as container:
                frames = _frames(container, wanted, limits, job)
        except av.FFmpegError as error:
            raise InvalidArgumentError(field, "is damaged, or not a clip that FFmpeg can decode") from error
    return Clip(tuple(frames), num_frames)


def _count(container: "av.container.InputContainer", field: str, limits: Limits, job: JobContext) -> int:
    stream = container.streams.video[0]
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


def _frames(container: "av.container.InputContainer", wanted: set[int], limits: Limits, job: JobContext) -> list[Frame]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    frames = []
    for index, frame in enumerate(container.decode(stream)):
        job.check_cancelled()
        if index not in wanted:
            continue
        pixels = frame.to_ndarray(format="rgb24")
        clipped = clipped_fractions(pixels, np.ones(pixels.shape[:2], np.float32), white=254, black=1)
        display = pixels.astype(np.float32) / 255.0
        linear = reduced(srgb_to_linear(display), limits.measured_side_px)
        shown = reduced(display, limits.measured_side_px)
        picture = Picture(linear, shown, np.ones(shown.shape[:2], np.float32), (frame.width, frame.height), clipped)
        frames.append(Frame(index, float(frame.time or 0.0), picture))
    return frames
