"""Files are known by their bytes."""

import pytest

from lumenmill_common.artifacts import kind_of_bytes, media_type_of_content
from lumenmill_common.errors import InvalidArgumentError

_FILES = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "image/x-exr": b"\x76\x2f\x31\x01\x02\0\0\0",
    "image/vnd.radiance": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe",
    "image/avif": b"\0\0\0\x1cftypavif\0\0\0\0",
    "image/heic": b"\0\0\0\x18ftypheic\0\0\0\0",
    "image/tiff": b"MM\0*\0\0\0\x08",
    "image/bmp": b"BM" + bytes(12) + b"\x28\0\0\0",
    "image/gif": b"GIF89a",
    "image/svg+xml": b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg xmlns="http://www.w3.org/2000/svg">',
    "video/mp4": b"\0\0\0\x20ftypM4V \0\0\0\0",
    "video/quicktime": b"\0\0\0\x14ftypqt  ",
    "video/webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm",
    "video/x-matroska": b"\x1aE\xdf\xa3\xa3B\x82\x88matroska",
    "video/x-msvideo": b"RIFF\0\0\0\0AVI LIST",
    "video/mp2t": (b"G" + bytes(187)) * 3,
    "model/gltf-binary": b"glTF\x02\0\0\0",
    "model/ply": b"ply \r\nformat ascii 1.0\r\n",
}


@pytest.mark.parametrize("media_type", _FILES)
def test_a_file_is_known_by_its_first_bytes(media_type: str) -> None:
    kind = kind_of_bytes(_FILES[media_type])
    assert kind is not None and kind.media_type == media_type


@pytest.mark.parametrize(
    ("brands", "media_type"),
    [
        (b"heim\0\0\0\0", "image/heic"),
        (b"mif1\0\0\0\0mif1heic", "image/heic"),
        (b"mif1\0\0\0\0mif1miafavif", "image/avif"),
        (b"msf1\0\0\0\0avis", "image/avif"),
    ],
)
def test_pictures_in_boxes_are_known_by_all_their_brands(brands: bytes, media_type: str) -> None:
    kind = kind_of_bytes(b"\0\0\0\x20ftyp" + brands + bytes(16))
    assert kind is not None and kind.media_type == media_type


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"G",
        b"The free kettle on a table",
        b"It's wide open",
        b"#?what is lit",
        b"BMW drives past",
        b"plywood",
        b"o box\nv 0 0 0\n",
        b"\0\0\0\x20moo",
    ],
)
def test_unknown_bytes_leave_the_declared_type(head: bytes) -> None:
    assert kind_of_bytes(head) is None
    assert media_type_of_content(head, "model/obj", "mesh") == "model/obj"


def test_bytes_win_over_a_wrong_type_but_not_over_a_more_special_one() -> None:
    assert media_type_of_content(_FILES["image/jpeg"], "image/png", "image") == "image/jpeg"
    assert media_type_of_content(_FILES["video/mp4"], "image/png", "image") == "video/mp4"
    basis = "application/vnd.lumenmill.light-basis+zip"
    assert media_type_of_content(b"PK\x03\x04", basis, "light_basis") == basis


@pytest.mark.parametrize("declared", ["image/png", "video/mp4", "model/ply", "application/zip", "image/vnd.radiance"])
@pytest.mark.parametrize(
    ("head", "found"), [(b"ffconcat version 1.0", "begins as no file of that type"), (b"%PDF-1.7", "is a PDF document")]
)
def test_a_declared_type_that_the_bytes_do_not_show_is_refused(declared: str, head: bytes, found: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"list.png {found}.* declared as {declared}") as refused:
        media_type_of_content(head, declared, "header.media_type", "list.png")
    assert refused.value.field == "header.media_type"


def test_a_declared_text_stays_a_text() -> None:
    assert media_type_of_content(b"GIF89a is a format", "text/plain", "prompts") == "text/plain"


@pytest.mark.parametrize(
    ("media_type", "problem"),
    [("image/tiff", "scan.tif is a TIFF image, which is not read; convert it to PNG"), ("image/heic", "a HEIC image")],
)
def test_formats_that_the_store_does_not_keep_are_refused_by_name(media_type: str, problem: str) -> None:
    with pytest.raises(InvalidArgumentError, match=problem) as refused:
        media_type_of_content(_FILES[media_type], "application/octet-stream", "media", "scan.tif")
    assert refused.value.field == "media"
