"""Read and write pictures, clips and maps as arrays. Broken input is refused with an error that names its field."""

from lumenmill_media.clips import Clip, Frame, Track, read_clip
from lumenmill_media.color_spaces import linear_to_srgb, srgb_to_linear
from lumenmill_media.encoders import Encoding, apply_encoding, bitrate_for
from lumenmill_media.exr import HALF_MAX, as_half, decode_exr, decode_exr_colors, encode_exr
from lumenmill_media.file_facts import MediaFacts, media_facts
from lumenmill_media.h264 import write_clip
from lumenmill_media.light import decode_light, is_panorama, read_light
from lumenmill_media.map_sequences import read_map_sequence
from lumenmill_media.map_sink import MapEncoding, MapSink
from lumenmill_media.pictures import (
    LIMITS,
    Limits,
    Picture,
    read_map,
    read_picture,
    read_radiance_map,
    reduced,
)
from lumenmill_media.probe import iter_frames, probe_clip
from lumenmill_media.radiance import decode_radiance
from lumenmill_media.rgb import decode_rgb, encode_png, put_clip, put_png, read_rgb, read_rgba
from lumenmill_media.zip_files import open_zip

__all__ = [
    "HALF_MAX",
    "LIMITS",
    "Clip",
    "Encoding",
    "Frame",
    "Limits",
    "MapEncoding",
    "MapSink",
    "MediaFacts",
    "Picture",
    "Track",
    "apply_encoding",
    "as_half",
    "bitrate_for",
    "decode_exr",
    "decode_exr_colors",
    "decode_light",
    "decode_radiance",
    "decode_rgb",
    "encode_exr",
    "encode_png",
    "is_panorama",
    "iter_frames",
    "linear_to_srgb",
    "media_facts",
    "open_zip",
    "probe_clip",
    "put_clip",
    "put_png",
    "read_clip",
    "read_light",
    "read_map",
    "read_map_sequence",
    "read_picture",
    "read_radiance_map",
    "read_rgb",
    "read_rgba",
    "reduced",
    "srgb_to_linear",
    "write_clip",
]
