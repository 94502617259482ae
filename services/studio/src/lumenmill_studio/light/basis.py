"""Read, write and mix light bases: pictures of one scene under unit sources, whose weighted sums are lights.

An artifact is a ZIP (`application/vnd.lumenmill.light-basis+zip`): `index.json` and one half-float EXR for each
picture. Legend: H height, W width.
"""

import hashlib
import io
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

import lumenmill_media as media
from lumenmill_common.decoding import decoder
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_studio.json_text import parsed

__all__ = ["MAX_BASIS_BYTES", "MEDIA_TYPE", "Image", "Key", "packed", "unpacked", "weighted_sum"]

Image = NDArray[np.float32]

MEDIA_TYPE = "application/vnd.lumenmill.light-basis+zip"
_FORMAT, _VERSION = "lumenmill.light-basis", 1
MAX_BASIS_BYTES = 2 << 30
_MAX_ENTRIES = 2048
_MAX_INDEX_BYTES = 16 << 20
_MAX_SIDE_PX = 4096
# Limit for all pictures together: 720 MB in half floats, about a hundred pictures of 1280 × 960.
_MAX_PIXELS = 120_000_000
# The file of a picture may not be larger than its pixels in single floats and a header.
_FLOAT_BYTES, _HEADER_BYTES = 4, 1 << 16
_VIEW = re.compile(r"[^/]+/(\d{1,5})x(\d{1,5})/[^\n]+")
_EPOCH = (1980, 1, 1, 0, 0, 0)
Key = tuple[str, str]


def packed(scene_sha256: str, pictures: Iterable[tuple[Key, Image]]) -> bytes:
    """Return the bytes of a basis of a scene; equal pictures give equal bytes."""
    index: dict[str, object] = {"format": _FORMAT, "version": _VERSION, "scene_sha256": scene_sha256}
    entries = []
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for (view, unit), picture in sorted(pictures, key=lambda entry: entry[0]):
            name = hashlib.sha256(f"{view}\n{unit}".encode()).hexdigest()[:24] + ".exr"
            entries.append({"view": view, "unit": unit, "file": name})
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), media.encode_exr(picture))
        index["pictures"] = entries
        archive.writestr(zipfile.ZipInfo("index.json", _EPOCH), json.dumps(index, sort_keys=True, indent=1))
    return buffer.getvalue()


@decoder
def unpacked(data: bytes, scene_sha256: str, field: str = "light_basis") -> dict[Key, Image]:
    """Return the pictures of a basis, each (H, W, 3) in half floats with the size that its view states.

    Raises:
        InvalidArgumentError: it is no light basis, belongs to another scene, or has too many or too large pictures;
            names ``field``.
    """
    try:
        with media.open_zip(io.BytesIO(data)) as archive:
            if len(archive.infolist()) > _MAX_ENTRIES + 1:
                raise ValueError(f"has more than {_MAX_ENTRIES} pictures")
            if sum(info.file_size for info in archive.infolist()) > MAX_BASIS_BYTES:
                raise ValueError(f"unpacks to more than {MAX_BASIS_BYTES} bytes")
            index = parsed(_read(archive, "index.json", _MAX_INDEX_BYTES))
            if index.get("format") != _FORMAT or index.get("version") != _VERSION:
                raise ValueError("not version 1")
            if index["scene_sha256"] != scene_sha256:
                raise InvalidArgumentError(
                    field, "is a light basis of another scene: leave it out or give that scene's"
                )
            if len(index["pictures"]) > _MAX_ENTRIES or len({entry["file"] for entry in index["pictures"]}) != len(
                index["pictures"]
            ):
                raise ValueError("names a picture twice")
            sizes_px = [_size_px(entry) for entry in index["pictures"]]
            if sum(width * height for width, height in sizes_px) > _MAX_PIXELS:
                raise ValueError(f"has more than {_MAX_PIXELS} pixels in all its pictures")
            return {
                (entry["view"], entry["unit"]): _picture(archive, entry, scene_sha256) for entry in index["pictures"]
            }
    except _UNREADABLE as error:
        raise InvalidArgumentError(field, f"not a lumenmill light basis: {error}") from error


# What `zipfile` and the decoders raise for invalid bytes of a basis: encrypted entries and unknown compression are
# RuntimeErrors, the others damaged streams, deep nesting and values of other types.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
)


def _read(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    """Return the bytes of an entry; its declared size is checked, and `zipfile` returns no more than that."""
    info = archive.getinfo(name)
    if info.file_size > max_bytes:
        raise ValueError(f"{name} unpacks to more than {max_bytes} bytes")
    return archive.read(info)


def _picture(archive: zipfile.ZipFile, entry: dict[str, str], scene_sha256: str) -> Image:
    if not entry["unit"].startswith(scene_sha256):
        raise ValueError("has a picture of another scene")
    width, height = _size_px(entry)
    num_pixels = width * height
    data = _read(archive, entry["file"], 3 * num_pixels * _FLOAT_BYTES + _HEADER_BYTES)
    picture = media.decode_exr(data, num_pixels)
    if picture.shape != (height, width, 3) or not np.isfinite(picture).all():
        raise ValueError(f"has a picture that is not {width}×{height} finite RGB pixels, as its view says")
    return picture.astype(np.float16)


def _size_px(entry: dict[str, str]) -> tuple[int, int]:
    match = _VIEW.fullmatch(entry["view"])
    if match is None:
        raise ValueError("has a picture of no view")
    width, height = int(match[1]), int(match[2])
    if not (0 < width <= _MAX_SIDE_PX and 0 < height <= _MAX_SIDE_PX):
        raise ValueError(f"has a view of {width}×{height} pixels")
    return width, height


def weighted_sum(pictures: Iterable[tuple[Image, tuple[float, float, float]]]) -> Image:
    """Return Σ weight × picture, (H, W, 3), without negative radiance."""
    total: Image | None = None
    for picture, weight in pictures:
        part = picture * np.asarray(weight, np.float32)
        total = part if total is None else total + part
    if total is None:
        raise ValueError("a light without sources has no picture")
    return np.maximum(total, 0)
