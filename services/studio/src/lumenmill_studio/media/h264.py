"""H.264 clips in MP4 that start to play before they are loaded whole."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

CODEC = "h264"
_CRF = "20"


def write(path: Path, frames: Iterable[NDArray[np.uint8]], size_px: tuple[int, int], fps: float) -> None:
    """Encode frames (H, W, 3) at constant quality, yuv420p; one thread, so that equal frames give equal bytes.

    Width and height must be even.
    """
    options = {"crf": _CRF, "preset": "medium", "x264-params": "threads=1"}
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        container.mux(stream.encode())
