"""Frames of clips as they are to be seen: upright, in sRGB.

Colours follow from the tags of the frame (ITU-T H.273). PQ, HLG and BT.2020 are converted as pictures are: diffuse
white (203 cd/m², BT.2408) becomes white, and what is brighter is rolled off. Without a matrix tag, frames of high
definition are taken for BT.709 and others for BT.601, as players take them.
"""

from collections.abc import Callable
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from lumenmill_media.color_spaces import (
    HDR_TRANSFERS,
    PRIMARIES,
    TRANSFERS,
    linear_to_srgb,
    rec709_matrix,
    roll_off,
)

__all__ = ["FrameError", "num_quarter_turns", "upright_pixels", "upright_size"]

_UNSPECIFIED = 2
_LINEAR = 8
# Transfer functions whose signals are not shown as sRGB, and primaries that differ visibly from those of Rec. 709.
_OTHER_TRANSFERS = HDR_TRANSFERS | {_LINEAR}
_WIDE_PRIMARIES = frozenset({9, 11, 12})
_BT709, _BT2020, _SRGB = 1, 9, 13
_HD_WIDTH_PX, _HD_HEIGHT_PX = 1280, 720
_BITS = 8
_BAND_ROWS = 256


class FrameError(ValueError):
    """A frame that is decoded and cannot be shown as it is meant; the text says why, and what can."""


def num_quarter_turns(frame: "av.VideoFrame") -> int:
    """Return by how many quarter turns, anticlockwise, a frame is to be turned for display: 0 to 3.

    Raises:
        FrameError: the clip is turned by another angle.
    """
    turns = frame.rotation / 90.0
    if abs(turns - round(turns)) > 0.01:
        raise FrameError(f"is turned by {frame.rotation}°; send a clip that is turned by quarter turns")
    return round(turns) % 4


def upright_size(frame: "av.VideoFrame") -> tuple[int, int]:
    """Return width and height of a frame as it is to be seen; errors as `num_quarter_turns`."""
    return (frame.height, frame.width) if num_quarter_turns(frame) % 2 else (frame.width, frame.height)


def upright_pixels(frame: "av.VideoFrame", size_px: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return sRGB pixels (H, W, 3) of a frame, upright; reduced to `size_px` (width, height) by averaging areas.

    Raises:
        FrameError: the clip is turned by an odd angle, or its colour space is not converted.
    """
    turns = num_quarter_turns(frame)
    options: dict[str, Any] = {}
    if size_px is not None:
        width, height = size_px[::-1] if turns % 2 else size_px
        options = {"width": width, "height": height, "interpolation": "AREA"}
    if frame.colorspace == _UNSPECIFIED and int(frame.color_trc) in HDR_TRANSFERS:
        options["src_colorspace"] = Colorspace.BT2020
    elif frame.colorspace == _UNSPECIFIED and _is_high_definition(frame):
        options["src_colorspace"] = Colorspace.ITU709
    pixels = _srgb_pixels(frame, options)
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _is_high_definition(frame: "av.VideoFrame") -> bool:
    return max(frame.width, frame.height) >= _HD_WIDTH_PX or min(frame.width, frame.height) >= _HD_HEIGHT_PX


def _srgb_pixels(frame: "av.VideoFrame", options: dict[str, Any]) -> NDArray[np.uint8]:
    primaries, transfer = int(frame.color_primaries), int(frame.color_trc)
    if transfer not in _OTHER_TRANSFERS and primaries not in _WIDE_PRIMARIES:
        signal = _signal(frame, options)
        return signal if signal.dtype == np.uint8 else _in_bands(signal, lambda values: values)
    if primaries == _UNSPECIFIED:
        # Clips that state PQ or HLG alone are of BT.2100, whose primaries are those of BT.2020.
        primaries = _BT2020 if transfer in HDR_TRANSFERS else _BT709
    if primaries not in PRIMARIES:
        raise FrameError(f"is in primaries that are not converted (H.273 number {primaries}); send BT.709 or BT.2020")
    to_linear = TRANSFERS[transfer if transfer in TRANSFERS else _SRGB]
    matrix = rec709_matrix(PRIMARIES[primaries], keep_white=True).T.astype(np.float32)

    def shown(values: NDArray[np.float32]) -> NDArray[np.float32]:
        linear = to_linear(values) @ matrix
        return linear_to_srgb(roll_off(linear) if transfer in HDR_TRANSFERS else linear)

    return _in_bands(_signal(frame, options), shown)


def _signal(frame: "av.VideoFrame", options: dict[str, Any]) -> NDArray[Any]:
    """Return RGB signal values (H, W, 3): of 8 bits, or 16 bits for frames with more."""
    if max(component.bits for component in frame.format.components) <= _BITS:
        return np.asarray(frame.reformat(format="rgb24", **options).to_ndarray(), np.uint8)
    return np.asarray(frame.reformat(format="rgb48le", **options).to_ndarray(), np.uint16)


def _in_bands(signal: NDArray[Any], shown: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Return sRGB pixels of signal values, of which `shown` returns sRGB values 0 to 1.

    Some rows at a time, since the floats of a frame of 8K take 400 MB.
    """
    # FFmpeg's scaler makes white 255 × 256 of 16 bits.
    white = 255.0 if signal.dtype == np.uint8 else 255.0 * 256.0
    pixels = np.empty(signal.shape, np.uint8)
    for row in range(0, len(signal), _BAND_ROWS):
        values = np.minimum(signal[row : row + _BAND_ROWS].astype(np.float32) / white, 1.0)
        pixels[row : row + _BAND_ROWS] = np.rint(shown(values) * 255.0)
    return pixels
