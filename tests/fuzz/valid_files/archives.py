"""Valid ZIP files: the maps of a clip, in every compression that Python reads, and a light basis of studio."""

import io
import zipfile

import numpy as np

from lumenmill_media import encode_exr
from lumenmill_studio.light.basis import packed

__all__ = ["SCENE_SHA256", "light_bases", "map_sequences"]

SCENE_SHA256 = "5" * 64
_COMPRESSIONS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def map_sequences() -> dict[str, bytes]:
    """Return ZIP files of the maps of two frames, by name."""
    return {f"zip-{name}": _zip(compression) for name, compression in _COMPRESSIONS.items()}


def _zip(compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for number in range(2):
            normals = np.full((12, 16, 3), 0.5 * number, np.float32)
            archive.writestr(zipfile.ZipInfo(f"{number:05d}.exr"), encode_exr(normals), compression)
    return buffer.getvalue()


def light_bases() -> dict[str, bytes]:
    """Return a light basis of the scene `SCENE_SHA256`, by name."""
    pictures = [
        ((f"pose/16x12/{name}", f"{SCENE_SHA256}/{name}"), np.full((12, 16, 3), 0.5, np.float32)) for name in "ab"
    ]
    return {"light-basis": packed(SCENE_SHA256, pictures)}
