"""Settings of H.264, and the encoder of the FFmpeg at hand that applies them.

Only libx264 has a constant quality by CRF. Where FFmpeg was built without it, another encoder (libopenh264, that of a
GPU or of the operating system) is given a mean bitrate in its place.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.telemetry import get_logger

__all__ = ["AppliedEncoding", "Encoding", "apply_encoding", "bitrate_for"]

_log = get_logger(__name__)
# Tried in this order. FFmpeg lists encoders of GPUs on machines without such a GPU too, where they do not open.
_ENCODERS = (
    "libx264",
    "libopenh264",
    "h264_nvenc",
    "h264_qsv",
    "h264_amf",
    "h264_videotoolbox",
    "h264_mf",
    "h264_v4l2m2m",
)
_WITH_CRF = frozenset({"libx264"})
_PIXEL_FORMATS = ("yuv420p", "nv12")
# Mean bitrate by the shorter side in pixels.
_BITRATES_BPS = {1080: 10_000_000, 720: 8_000_000, 0: 5_000_000}
_NUM_SIZES = 64


@dataclass(frozen=True)
class Encoding:
    """What is asked of an encoder: constant quality `crf` (lower is better; 18 is visually lossless), or a mean
    bitrate."""

    crf: int = 20
    preset: str = "medium"
    bitrate_bps: int | None = None


@dataclass(frozen=True)
class AppliedEncoding:
    """What an encoder does."""

    encoder: str
    """Name of the encoder in FFmpeg: `libx264`."""
    codec: str
    """Name of the codec: `h264`."""
    pixel_format: str
    encoding: Encoding

    def options(self) -> dict[str, str]:
        """Return options of the encoder. With those of libx264 equal frames give equal bytes.

        One thread, and no macroblock tree: for small frames (160 × 96, 320 × 192) it reads uninitialised memory.
        """
        if self.encoder not in _WITH_CRF:
            return {}
        quality = {} if self.encoding.bitrate_bps else {"crf": str(self.encoding.crf)}
        return {**quality, "preset": self.encoding.preset, "x264-params": "threads=1:mbtree=0"}

    def __str__(self) -> str:
        """Return the rate control for records: `h264 crf 20 medium`, `h264 8000k`."""
        rate = self.encoding.bitrate_bps
        how = f"{rate // 1000}k" if rate else f"crf {self.encoding.crf}"
        return f"{self.codec} {how} {self.encoding.preset}" if self.encoder in _WITH_CRF else f"{self.codec} {how}"


def bitrate_for(size_px: tuple[int, int]) -> int:
    """Return the mean bitrate in bit/s for a size: 10 Mbit/s from 1080 lines, 8 from 720, 5 below."""
    lines = min(size_px)
    return next(rate for least, rate in sorted(_BITRATES_BPS.items(), reverse=True) if lines >= least)


def apply_encoding(encoding: Encoding, size_px: tuple[int, int]) -> AppliedEncoding:
    """Return the first encoder that encodes frames of a size, and how: at the bitrate for the size in place of a
    constant quality that it does not have.

    Raises:
        FailedPreconditionError: there is none.
    """
    for encoder in _ENCODERS:
        opened = _opened(encoder, size_px)
        if opened is not None:
            codec, pixel_format = opened
            if encoder not in _WITH_CRF and not encoding.bitrate_bps:
                encoding = replace(encoding, bitrate_bps=bitrate_for(size_px))
            return AppliedEncoding(encoder, codec, pixel_format, encoding)
    size = f"{size_px[0]}×{size_px[1]}"
    raise FailedPreconditionError(
        f"the FFmpeg of this service has no encoder for clips of {size} pixels, none of {', '.join(_ENCODERS)}; "
        "install one with libx264"
    )


@lru_cache(maxsize=_NUM_SIZES)
def _opened(encoder: str, size_px: tuple[int, int]) -> tuple[str, str] | None:
    """Return the codec and the pixel format of an encoder that opens for a size; None if it does not."""
    try:
        codec = av.Codec(encoder, "w")
        known = {each.name for each in codec.video_formats or ()}
        pixel_format = next(name for name in _PIXEL_FORMATS if name in known)
        context: Any = av.VideoCodecContext.create(codec, "w")
        context.width, context.height, context.pix_fmt = *size_px, pixel_format
        context.framerate, context.time_base = Fraction(24), Fraction(1, 24)
        context.bit_rate = bitrate_for(size_px)
        context.open()
    except (av.FFmpegError, ValueError, StopIteration):  # of an unknown encoder: ValueError
        return None
    if encoder not in _WITH_CRF:
        _log.warning("clips are encoded at a bitrate, without constant quality", encoder=encoder, needed="libx264")
    return codec.canonical_name, pixel_format
