"""The pictures of a subject as models take them: 8-bit RGB."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import Limits, linear_to_srgb, read_clip, read_picture, read_rgb

__all__ = ["read_frames", "read_still"]

# The models' processors reduce pictures further; these bounds limit the memory of decoded ones.
_MAX_FLOAT_SIDE_PX, _MAX_FRAME_SIDE_PX = 2048, 1024
# Limits of the image processors of all models: a patch is at least so wide, and aspect ratios are bounded.
_MIN_SIDE_PX, _MAX_ASPECT = 28, 100.0


def read_still(store: ArtifactStore, subject: captioner_pb2.Subject, limits: Limits) -> Image.Image:
    """Return the image of a subject; scene-referred files are shown as sRGB, without a tone map.

    Raises:
        InvalidArgumentError: it is damaged, too large, of another format, or too long for a model.
    """
    try:
        picture = read_rgb(store, subject.media, "subject.media", limits)
    except InvalidArgumentError:
        large = replace(limits, measured_side_px=_MAX_FLOAT_SIDE_PX)
        scene = read_picture(store, subject.media, "subject.media", large)
        picture = _eight_bit(linear_to_srgb(scene.linear))
    return _fit_for_models(picture)


def read_frames(
    store: ArtifactStore, subject: captioner_pb2.Subject, num_frames: int, limits: Limits
) -> list[Image.Image]:
    """Return frames of a clip, evenly from the first to the last; errors as `read_still`, and CancelledError."""
    large = replace(limits, measured_side_px=_MAX_FRAME_SIDE_PX)
    clip = read_clip(store, subject.media, "subject.media", num_frames, large)
    shown = [frame.picture.display for frame in clip.frames]
    return [_fit_for_models(_eight_bit(display)) for display in shown if display is not None]


def _eight_bit(display: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.round(np.clip(display, 0.0, 1.0) * 255.0).astype(np.uint8))


def _fit_for_models(picture: Image.Image) -> Image.Image:
    longer, shorter = max(picture.size), min(picture.size)
    if longer > _MAX_ASPECT * shorter:
        raise InvalidArgumentError(
            "subject.media", f"has {picture.width}×{picture.height} pixels; one side may be {_MAX_ASPECT:.0f} times "
            "the other at most"
        )  # fmt: skip
    if shorter >= _MIN_SIDE_PX:
        return picture
    scale = _MIN_SIDE_PX / shorter
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.NEAREST)
