"""H.264 settings of clips by preset, at constant quality or at a bitrate."""

from typing import Literal

from lumenmill_media import BITRATES_BPS, Encoding

__all__ = ["encoding_of", "encoding_text"]

# Settings of the production scripts that this service replaces.
_BY_PRESET = {"quality": (18, "slow"), "fast": (23, "fast")}
_OTHERS = (20, "medium")


def encoding_of(preset_name: str, mode: Literal["crf", "bitrate"], size_px: tuple[int, int]) -> Encoding:
    """Return CRF 18 slow for `quality`, 23 fast for `fast`, 20 medium for the others.

    In bitrate mode: 10 Mbit/s from 1080 lines, 8 from 720, 5 below, at the same speed.
    """
    crf, speed = _BY_PRESET.get(preset_name, _OTHERS)
    bitrate_bps = None
    if mode == "bitrate":
        lines = min(size_px)
        bitrate_bps = next(rate for least, rate in sorted(BITRATES_BPS.items(), reverse=True) if lines >= least)
    return Encoding(crf, speed, bitrate_bps)


def encoding_text(encoding: Encoding) -> str:
    """Return the encoding as text for records."""
    how = f"{encoding.bitrate_bps // 1000}k" if encoding.bitrate_bps else f"crf {encoding.crf}"
    return f"h264 {how} {encoding.preset}"
