"""What a file is, by its first bytes: names and extensions are often wrong."""

import re
from typing import NamedTuple

from lumenmill_common.artifacts.layout import MEDIA_TYPES, WEIGHTS
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["HEAD_BYTES", "FileKind", "is_weights", "kind_of_bytes", "media_type_of_content"]

HEAD_BYTES = 512
"""How many bytes from the start of a file `kind_of_bytes` looks at."""


class FileKind(NamedTuple):
    """Media type of a file, and what people call it, for messages: `a TIFF image`."""

    media_type: str
    name: str


_MAGIC: tuple[tuple[re.Pattern[bytes], FileKind], ...] = tuple(
    (re.compile(pattern, re.DOTALL), FileKind(media_type, name))
    for pattern, media_type, name in (
        (rb"\x89PNG\r\n\x1a\n", "image/png", "a PNG image"),
        (rb"\xff\xd8\xff", "image/jpeg", "a JPEG image"),
        (rb"RIFF....WEBP", "image/webp", "a WebP image"),
        (rb"\x76\x2f\x31\x01", "image/x-exr", "an EXR image"),
        (
            rb"#\?(?:RADIANCE|RGBE|AUTOPANO)|#\?[^\n]*\n(?:.*\n)?FORMAT=32-bit_rle_",
            "image/vnd.radiance",
            "a Radiance image",
        ),
        # Brands of any such file (mif1, msf1) are followed by a version and the brands of its coding.
        (rb"....ftyp(?:avif|avis|(?:mif1|msf1).{4}(?:.{4}){0,15}?avi[fs])", "image/avif", "an AVIF image"),
        (rb"....ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", "image/heic", "a HEIC image"),
        (rb"....ftypqt  ", "video/quicktime", "a QuickTime clip"),
        # Old QuickTime files start with any box, whose length before its name is no text.
        (rb"(?:\x00...|[^\x20-\x7e]...)(?:moov|mdat|wide|free|skip)", "video/quicktime", "a QuickTime clip"),
        (rb"....ftyp", "video/mp4", "an MP4 clip"),
        (rb"\x1aE\xdf\xa3.{0,256}?webm", "video/webm", "a WebM clip"),
        (rb"\x1aE\xdf\xa3", "video/x-matroska", "a Matroska clip"),
        (rb"RIFF....AVI ", "video/x-msvideo", "an AVI clip"),
        (rb"FLV\x01", "video/x-flv", "a Flash clip"),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf", "a Windows Media clip"),
        (rb"\x00\x00\x01[\xba\xb3]", "video/mpeg", "an MPEG clip"),
        (rb"\x47.{187}\x47.{187}\x47", "video/mp2t", "an MPEG transport stream"),
        (rb"GIF8[79]a", "image/gif", "a GIF image"),
        (rb"II\x2a\x00|MM\x00\x2a|II\x2b\x00|MM\x00\x2b", "image/tiff", "a TIFF image"),
        (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", "image/bmp", "a BMP image"),
        (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "image/jxl", "a JPEG XL image"),
        (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "image/jp2", "a JPEG 2000 image"),
        (rb"8BPS", "image/vnd.adobe.photoshop", "a Photoshop document"),
        (rb"DDS ", "image/vnd.ms-dds", "a DDS texture"),
        (rb"glTF", "model/gltf-binary", "a binary glTF model"),
        (rb"ply[ \t]*[\r\n]", "model/ply", "a PLY model"),
        (rb"%PDF-", "application/pdf", "a PDF document"),
        (rb"\x1f\x8b", "application/gzip", "a gzip archive"),
        (rb"PK\x03\x04", "application/zip", "a ZIP archive"),
        # The length of a JSON object, and the object.
        (rb".{5}\x00\x00\x00\{", "application/vnd.safetensors", "weights in safetensors"),
        (rb"PAR1", "application/vnd.apache.parquet", "a Parquet file"),
        (rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,200}?-->\s*)?<svg", "image/svg+xml", "an SVG drawing"),
        (rb"\s*<(?:!DOCTYPE html|html)", "text/html", "an HTML page"),
    )
)

# Media types whose files begin with one of the above. The declared type of others, which are mostly text, is believed.
_RECOGNIZED = frozenset(kind.media_type for _, kind in _MAGIC).intersection(MEDIA_TYPES)
# Special uses of a format.
_FORMATS = {"application/vnd.lumenmill.light-basis+zip": "application/zip"}


def kind_of_bytes(head: bytes) -> FileKind | None:
    """Return what a file is by its first `HEAD_BYTES`; None where they do not show it, as for text and raw data."""
    return next((kind for magic, kind in _MAGIC if magic.match(head[:HEAD_BYTES])), None)


def is_weights(head: bytes, declared: str) -> bool:
    """Return whether a file has weights of models, by its first `HEAD_BYTES` or its declared media type."""
    kind = kind_of_bytes(head)
    return declared in WEIGHTS or (kind is not None and kind.media_type in WEIGHTS)


def media_type_of_content(head: bytes, declared: str, field: str, name: str = "") -> str:
    """Return the media type of a file: that of its bytes if they are an image, a clip or a mesh, else the declared one.

    Raises:
        InvalidArgumentError: it is an image or clip of a format that the store does not keep, or its first bytes are
            not those of the declared type; names `field`, the file and its format.
    """
    kind = kind_of_bytes(head)
    if declared.startswith("text/"):
        return declared
    if kind is None or not kind.media_type.startswith(("image/", "video/", "model/")):
        _check_declared(kind, declared, field, name)
        return declared
    if kind.media_type not in MEDIA_TYPES:
        wanted = "PNG, JPEG, WebP, EXR or Radiance" if kind.media_type.startswith("image/") else "MP4, WebM or Matroska"
        raise InvalidArgumentError(
            field, f"{name or 'the file'} is {kind.name}, which is not read; convert it to {wanted}"
        )
    return kind.media_type


def _check_declared(kind: FileKind | None, declared: str, field: str, name: str) -> None:
    format_ = _FORMATS.get(declared, declared)
    if format_ in _RECOGNIZED and (kind is None or kind.media_type != format_):
        found = f"is {kind.name}" if kind is not None else "begins as no file of that type does"
        raise InvalidArgumentError(
            field, f"{name or 'the file'} {found}, and is declared as {declared}; send the type that it has"
        )
