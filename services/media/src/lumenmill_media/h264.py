"""Encode H.264 clips in MP4 that players can start before they have loaded the whole file."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

__all__ = ["BITRATES_BPS", "CODEC", "Encoding", "write_clip"]

CODEC = "h264"
# Number of BT.709 among primaries, transfer functions and matrices in ITU-T H.273.
_BT709 = 1
# Mean bitrate by the shorter side in pixels, for callers that ask for a fixed rate.
BITRATES_BPS = {1080: 10_000_000, 720: 8_000_000, 0: 5_000_000}


@dataclass(frozen=True)
class Encoding:
    """Settings of the encoder: constant quality `crf` (lower is better; 18 is visually lossless), or a mean bitrate."""

    crf: int = 20
    preset: str = "medium"
    bitrate_bps: int | None = None

    def options(self) -> dict[str, str]:
        """Return options of libx264 with which equal frames give equal bytes.

        One thread, and no macroblock tree: for small frames (160 × 96, 320 × 192) it reads uninitialised memory.
        """
        quality = {} if self.bitrate_bps else {"crf": str(self.crf)}
        return {**quality, "preset": self.preset, "x264-params": "threads=1:mbtree=0"}


def write_clip(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    size_px: tuple[int, int],
    fps: float,
    encoding: Encoding = Encoding(),
) -> int:
    """Encode sRGB frames (H, W, 3), yuv420p in BT.709, and return their number. Width and height must be even."""
    num_frames = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=encoding.options())
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        _tag(stream.codec_context)
        if encoding.bitrate_bps:
            stream.bit_rate = encoding.bitrate_bps
        for pixels in frames:
            container.mux(stream.encode(_in_bt709(pixels)))
            num_frames += 1
        container.mux(stream.encode())
    return num_frames


def _tag(context: "av.video.codeccontext.VideoCodecContext") -> None:
    """State the colour space: players take untagged clips for BT.601 or BT.709 by their size."""
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = ColorRange.MPEG


def _in_bt709(pixels: NDArray[np.uint8]) -> "av.VideoFrame":
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
