"""Read the properties of a clip from its packets, and its frames one by one: long clips do not fit in memory."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact, VideoFacts
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.decoding import CLIP_LIMITS, STILL_LIMITS, decoder, decoding_pool
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media.clip_files import open_clip
from lumenmill_media.frames import upright_pixels, upright_size
from lumenmill_media.pictures import LIMITS, Limits
from lumenmill_media.rgb import copied_image

__all__ = ["clip_facts", "file_clip_facts", "iter_frames", "probe_clip"]

# Differences between the stated and the mean rate that come from rounding, as a fraction and of the whole duration.
_ROUNDING, _ROUNDING_S = 0.005, 0.002


def probe_clip(
    store: ArtifactStore, artifact: Artifact, field: str, max_num_frames: int, limits: Limits = LIMITS
) -> VideoFacts:
    """Return the facts of a clip in the store; errors and work as `clip_facts`."""
    with store.local_file(artifact, field=field) as path:
        return file_clip_facts(path, field, max_num_frames, limits)


def file_clip_facts(path: Path, field: str, max_num_frames: int, limits: Limits = LIMITS) -> VideoFacts:
    """Return the facts of a clip in a file; errors and work as `clip_facts`, which runs in a decoding process."""
    return VideoFacts.FromString(
        decoding_pool().run(_facts, path, field, max_num_frames, limits, field=field, limits=CLIP_LIMITS)
    )


@decoder
def _facts(path: Path, field: str, max_num_frames: int, limits: Limits) -> bytes:
    """Return the facts as a serialized VideoFacts."""
    return clip_facts(path, field, max_num_frames, limits).SerializeToString()


def clip_facts(path: Path, field: str, max_num_frames: int, limits: Limits = LIMITS) -> VideoFacts:
    """Return size (upright), number of frames, frames per second and codec; only the first frame is decoded.

    The frames per second are the mean where frames are shown for different times. Called in decoding processes.

    Raises:
        InvalidArgumentError: naming `field`; it is a picture, no clip, or has too many or too large frames.
    """
    with open_clip(path, field, limits) as (container, stream):
        num_frames, stamps = 0, []
        for packet in container.demux(stream):  # the number of frames that a container states may be wrong
            if packet.size == 0:
                continue
            num_frames += 1
            if packet.pts is not None:
                stamps.append(packet.pts)
            if num_frames > max_num_frames:
                raise InvalidArgumentError(field, f"has more than {max_num_frames} frames")
        if num_frames == 0:
            raise InvalidArgumentError(field, "has no frames")
        facts = VideoFacts(
            num_frames=num_frames,
            fps=_mean_fps(stream, stamps),
            codec=stream.codec_context.name,
        )
    with open_clip(path, field, limits) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise InvalidArgumentError(field, "has no frame that can be decoded")
        facts.width_px, facts.height_px = upright_size(first)
    return facts


def _mean_fps(stream: "av.VideoStream", stamps: list[int]) -> float:
    """Return the frames per second that a file states, or the mean over its times where they are far from it."""
    stated = float(stream.average_rate or stream.guessed_rate or 0)
    duration_s = float((max(stamps) - min(stamps)) * (stream.time_base or 0)) if len(stamps) > 1 else 0.0
    if duration_s <= 0.0:
        return stated
    mean = (len(stamps) - 1) / duration_s
    # The times of some containers are in whole milliseconds.
    is_even = abs(mean - stated) * duration_s <= max(_ROUNDING * (len(stamps) - 1), mean * _ROUNDING_S)
    return stated if is_even else mean


def iter_frames(store: ArtifactStore, artifact: Artifact, field: str, limits: Limits = LIMITS) -> Iterator[Image.Image]:
    """Yield the frames of a clip as sRGB, upright, all of the size of the first.

    Raises:
        InvalidArgumentError: naming `field`; as `probe_clip`, or a frame is damaged or of another size.
    """
    with store.local_file(artifact, field=field) as path:
        frames = decoding_pool().iterate(copied_image, _frames, path, field, limits, field=field, limits=STILL_LIMITS)
        with contextlib.closing(frames):
            yield from frames


@decoder
def _frames(path: Path, field: str, limits: Limits) -> Iterator[NDArray[np.uint8]]:
    with open_clip(path, field, limits) as (container, stream):
        size_px: tuple[int, int] | None = None
        for frame in container.decode(stream):
            size_px = size_px or (frame.width, frame.height)
            if (frame.width, frame.height) != size_px:
                raise InvalidArgumentError(field, "changes its size between frames; send a clip of one size")
            yield upright_pixels(frame)
