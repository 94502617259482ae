"""Pictures, clips and maps as arrays. Everything that a caller may send broken is refused by the field's name."""

from ._clips import Clip, Frame, Track, read_clip
from ._exr import decode_exr
from ._h264 import BITRATES_BPS, CODEC, Encoding, write_clip
from ._pictures import (
    LIMITS,
    Limits,
    Picture,
    linear_to_srgb,
    read_map,
    read_picture,
    read_radiance_map,
    reduced,
    srgb_to_linear,
)
from ._radiance import decode_radiance
from ._rgb import put_clip, put_png, read_frames, read_rgb
from ._sequences import read_map_sequence

__all__ = [
    "BITRATES_BPS",
    "CODEC",
    "LIMITS",
    "Clip",
    "Encoding",
    "Frame",
    "Limits",
    "Picture",
    "Track",
    "decode_exr",
    "decode_radiance",
    "linear_to_srgb",
    "put_clip",
    "put_png",
    "read_clip",
    "read_frames",
    "read_map",
    "read_map_sequence",
    "read_picture",
    "read_radiance_map",
    "read_rgb",
    "reduced",
    "srgb_to_linear",
    "write_clip",
]
