"""The light basis: pictures of one scene under unit sources, from which any light in their span is a weighted sum.

As an artifact it is a ZIP (`application/vnd.lumenmill.light-basis+zip`): `index.json` and one half-float EXR for each
picture. Legend: H height, W width.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
from lumenmill_common.errors import InvalidArgumentError
from numpy.typing import NDArray

from lumenmill_studio.media import exr

Image = NDArray[np.float32]

MEDIA_TYPE = "application/vnd.lumenmill.light-basis+zip"
_FORMAT, _VERSION = "lumenmill.light-basis", 1
_EPOCH = (1980, 1, 1, 0, 0, 0)
Key = tuple[str, str]


class PictureCache:
    """The newest pictures by (view, unit), within a number of bytes. Pictures are as half floats hold them."""

    def __init__(self, max_bytes: int) -> None:
        self._pictures: OrderedDict[Key, Image] = OrderedDict()
        self._max_bytes, self._num_bytes = max_bytes, 0

    def get(self, key: Key) -> Image | None:
        """The picture (H, W, 3), or ``None``."""
        picture = self._pictures.get(key)
        if picture is not None:
            self._pictures.move_to_end(key)
        return picture

    def put(self, key: Key, picture_hw3: Image) -> None:
        """Keep a picture; the oldest go when there are too many."""
        before = self._pictures.pop(key, None)
        self._num_bytes += picture_hw3.nbytes - (before.nbytes if before is not None else 0)
        self._pictures[key] = picture_hw3
        while self._num_bytes > self._max_bytes and len(self._pictures) > 1:
            _, oldest = self._pictures.popitem(last=False)
            self._num_bytes -= oldest.nbytes


def packed(scene_sha256: str, pictures: Iterable[tuple[Key, Image]]) -> bytes:
    """The basis artifact of a scene; equal pictures give equal bytes."""
    index: dict[str, object] = {"format": _FORMAT, "version": _VERSION, "scene_sha256": scene_sha256}
    entries = []
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for (view, unit), picture in sorted(pictures, key=lambda entry: entry[0]):
            name = hashlib.sha256(f"{view}\n{unit}".encode()).hexdigest()[:24] + ".exr"
            entries.append({"view": view, "unit": unit, "file": name})
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), exr.encoded(picture))
        index["pictures"] = entries
        archive.writestr(zipfile.ZipInfo("index.json", _EPOCH), json.dumps(index, sort_keys=True, indent=1))
    return buffer.getvalue()


def unpacked(data: bytes, scene_sha256: str, field: str = "light_basis") -> dict[Key, Image]:
    """The pictures of a basis artifact.

    Raises:
        InvalidArgumentError: no light basis, or one of another scene; names ``field``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            index = json.loads(archive.read("index.json"))
            if index.get("format") != _FORMAT or index.get("version") != _VERSION:
                raise ValueError("not version 1")
            if index["scene_sha256"] != scene_sha256:
                raise InvalidArgumentError(
                    field, "is a light basis of another scene: leave it out or give that scene's"
                )
            return {
                (entry["view"], entry["unit"]): exr.decoded(archive.read(entry["file"])) for entry in index["pictures"]
            }
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InvalidArgumentError(field, f"not a lumenmill light basis: {error}") from error


def weighted_sum(pictures: Iterable[tuple[Image, tuple[float, float, float]]]) -> Image:
    """Σ weight × picture, (H, W, 3), without negative radiance."""
    total: Image | None = None
    for picture, weight in pictures:
        part = picture * np.asarray(weight, np.float32)
        total = part if total is None else total + part
    if total is None:
        raise ValueError("a light without sources has no picture")
    return np.maximum(total, 0)
