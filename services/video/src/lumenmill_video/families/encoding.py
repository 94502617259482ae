"""H.264 settings of clips by preset, at constant quality or at a bitrate."""

from typing import Literal

from lumenmill_media import Encoding, bitrate_for

__all__ = ["encoding_of"]

# Settings of the production scripts that this service replaces.
_BY_PRESET = {"quality": (18, "slow"), "fast": (23, "fast")}
_OTHERS = (20, "medium")


def encoding_of(preset_name: str, mode: Literal["crf", "bitrate"], size_px: tuple[int, int]) -> Encoding:
    """Return CRF 18 slow for `quality`, 23 fast for `fast`, 20 medium for the others.

    In bitrate mode: the bitrate for the size, at the same speed.
    """
    crf, speed = _BY_PRESET.get(preset_name, _OTHERS)
    return Encoding(crf, speed, bitrate_for(size_px) if mode == "bitrate" else None)
