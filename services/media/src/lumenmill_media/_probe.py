"""What a clip is like, told from its packets, and its frames one by one: long clips are too large to be held whole."""

from collections.abc import Iterator
from contextlib import contextmanager

import av
from lumenmill.common.v1.artifact_pb2 import Artifact, VideoFacts
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from PIL import Image

from ._pictures import LIMITS, Limits

__all__ = ["iter_frames", "probe_clip"]


def probe_clip(
    store: ArtifactStore, artifact: Artifact, field: str, max_num_frames: int, limits: Limits = LIMITS
) -> VideoFacts:
    """Size, number of frames, frames per second and codec. Whether each frame can be decoded is another question.

    Raises:
        InvalidArgumentError: naming `field`; it is a picture, no clip, or has too many or too large frames.
    """
    with _opened(store, artifact, field, limits) as (container, stream):
        num_frames = 0
        for packet in container.demux(stream):  # containers may tell a wrong number of frames
            num_frames += packet.size > 0
            if num_frames > max_num_frames:
                raise InvalidArgumentError(field, f"has more than {max_num_frames} frames")
        if num_frames == 0:
            raise InvalidArgumentError(field, "has no frames")
        return VideoFacts(
            width_px=stream.width,
            height_px=stream.height,
            num_frames=num_frames,
            fps=float(stream.average_rate or stream.guessed_rate or 0),
            codec=stream.codec_context.name,
        )


def iter_frames(store: ArtifactStore, artifact: Artifact, field: str, limits: Limits = LIMITS) -> Iterator[Image.Image]:
    """The frames of a clip as RGB, all of the size of the first.

    Raises:
        InvalidArgumentError: naming `field`; as `probe_clip`, or a frame is damaged or of another size.
    """
    with _opened(store, artifact, field, limits) as (container, stream):
        size_px = stream.width, stream.height
        for frame in container.decode(stream):
            if (frame.width, frame.height) != size_px:
                raise InvalidArgumentError(field, "changes its size on the way; send a clip of one size")
            yield Image.fromarray(frame.to_ndarray(format="rgb24"))


@contextmanager
def _opened(
    store: ArtifactStore, artifact: Artifact, field: str, limits: Limits
) -> Iterator[tuple["av.container.InputContainer", "av.VideoStream"]]:
    with store.local_file(artifact, field=field) as path:
        try:
            with av.open(str(path)) as container:
                yield container, _stream_of(container, field, limits)
        except (av.FFmpegError, ValueError) as error:
            raise InvalidArgumentError(field, "is damaged, or not a clip that FFmpeg can decode") from error


def _stream_of(container: "av.container.InputContainer", field: str, limits: Limits) -> "av.VideoStream":
    # FFmpeg reads a PNG as a clip of one frame.
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        raise InvalidArgumentError(field, "is a picture; send a clip")
    if not container.streams.video:
        raise InvalidArgumentError(field, "has no video stream")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise InvalidArgumentError(field, "has a video stream of no codec that FFmpeg can decode")
    if stream.width * stream.height > limits.max_pixels:
        raise InvalidArgumentError(field, f"has frames of more than the {limits.max_pixels} pixels allowed")
    return stream
