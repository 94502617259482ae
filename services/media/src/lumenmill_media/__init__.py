"""Pictures, clips and maps as arrays. Everything that a caller may send broken is refused by the field's name."""

from ._clips import Clip, Frame, Track, read_clip
from ._exr import HALF_MAX, as_half, decode_exr, encode_exr
from ._h264 import BITRATES_BPS, CODEC, Encoding, write_clip
from ._light import decode_light, is_panorama
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
from ._probe import iter_frames, probe_clip
from ._radiance import decode_radiance
from ._rgb import decode_rgb, encode_png, put_clip, put_png, read_frames, read_rgb
from ._sequences import read_map_sequence

__all__ = [
    "BITRATES_BPS",
    "CODEC",
    "HALF_MAX",
    "LIMITS",
    "Clip",
    "Encoding",
    "Frame",
    "Limits",
    "Picture",
    "Track",
    "as_half",
    "decode_exr",
    "decode_light",
    "decode_radiance",
    "decode_rgb",
    "encode_exr",
    "encode_png",
    "is_panorama",
    "iter_frames",
    "linear_to_srgb",
    "probe_clip",
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
