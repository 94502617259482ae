"""Encode H.264 clips in MP4 that players can start before they have loaded the whole file."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from lumenmill_media.encoders import AppliedEncoding, Encoding, apply_encoding

__all__ = ["write_clip"]

# Number of BT.709 among primaries, transfer functions and matrices in ITU-T H.273.
_BT709 = 1


def write_clip(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    size_px: tuple[int, int],
    fps: float,
    encoding: Encoding = Encoding(),  # noqa: B008 - frozen
) -> tuple[int, AppliedEncoding]:
    """Encode sRGB frames (H, W, 3), 4:2:0 in BT.709, and return their number and what the encoder did.

    Width and height must be even.

    Raises:
        FailedPreconditionError: FFmpeg has no encoder for it.
    """
    applied = apply_encoding(encoding, size_px)
    num_frames, rate = 0, Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = cast(av.VideoStream, container.add_stream(applied.encoder, rate=rate, options=applied.options()))
        stream.width, stream.height = size_px
        stream.pix_fmt = applied.pixel_format
        stream.codec_context.thread_count = 1
        _tag(stream.codec_context)
        if applied.encoding.bitrate_bps:
            stream.bit_rate = applied.encoding.bitrate_bps
        for pixels in frames:
            container.mux(stream.encode(_in_bt709(pixels, applied.pixel_format)))
            num_frames += 1
        container.mux(stream.encode())
    return num_frames, applied


def _tag(context: "av.video.codeccontext.VideoCodecContext") -> None:
    """State the colour space: players take untagged clips for BT.601 or BT.709 by their size."""
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = ColorRange.MPEG


def _in_bt709(pixels: NDArray[np.uint8], pixel_format: str) -> "av.VideoFrame":
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return frame.reformat(format=pixel_format, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
