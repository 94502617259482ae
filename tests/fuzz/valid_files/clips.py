"""Valid clips in every container that is read."""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np

__all__ = ["clips"]

_WIDTH, _HEIGHT, _NUM_FRAMES = 64, 48, 4


def clips() -> dict[str, bytes]:
    """Return files by name."""
    return {
        "mp4": _clip("mp4", "libx264"),
        "mp4-turned": _clip("mp4", "libx264", turn_deg=90),
        "mp4-in-fragments": _clip("mp4", "libx264", options={"movflags": "frag_keyframe+empty_moov"}),
        "mov": _clip("mov", "mjpeg", "yuvj420p"),
        "mkv": _clip("matroska", "libx264"),
        "mkv-hdr": _clip("matroska", "libx264", "yuv420p10le", tags=(9, 16, 9)),
        "webm": _clip("webm", "libvpx-vp9"),
        "avi": _clip("avi", "mpeg4"),
        "mpeg-ts": _clip("mpegts", "libx264"),
        "mpeg": _clip("mpeg", "mpeg2video", rate=25),
    }


def _clip(
    container: str,
    codec: str,
    pixel_format: str = "yuv420p",
    *,
    rate: int = 24,
    turn_deg: int = 0,
    tags: tuple[int, int, int] | None = None,
    **options: Any,
) -> bytes:
    """Encode a clip; `tags` are primaries, transfer function and matrix of H.273."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, **options) as file:
        stream = file.add_stream(codec, rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, pixel_format
        if tags is not None:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace = tags
        if turn_deg:
            stream.set_display_rotation(turn_deg)
        for index in range(_NUM_FRAMES):
            file.mux(stream.encode(_frame(index).reformat(format=pixel_format)))
        file.mux(stream.encode())
    return buffer.getvalue()


def _frame(index: int) -> av.VideoFrame:
    ramp = np.linspace(20, 200, _WIDTH)[None, :, None] + 10 * index
    pixels = np.broadcast_to(ramp * [1.0, 0.7, 0.4], (_HEIGHT, _WIDTH, 3))
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels.astype(np.uint8)), format="rgb24")
