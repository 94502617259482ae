"""Write one intrinsic map of all frames of a clip: a ZIP of EXR files, and a preview clip."""

import zipfile
from pathlib import Path

import lumenmill_media as media
import numpy as np
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind, IntrinsicMap
from lumenmill_common.artifacts import ArtifactStore
from numpy.typing import NDArray

from lumenmill_studio.families import intrinsics
from lumenmill_studio.light.basis import Image

__all__ = ["MapSink"]

# Of all entries, so that equal maps give equal bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class MapSink:
    """Collects one map over a clip: a ZIP of EXR files, and raw preview pixels for the encoder."""

    def __init__(self, folder: Path, kind: int, fps: float, size_px: tuple[int, int]) -> None:
        self._kind, self._fps, self._size_px = kind, fps, size_px
        self._zip_path, self._raw_path = folder / f"{kind}.zip", folder / f"{kind}.rgb"
        self._zip = zipfile.ZipFile(self._zip_path, "w", zipfile.ZIP_STORED)
        self._raw = self._raw_path.open("wb")

    def add(self, index: int, data_hwc: Image, shown_hw3: NDArray[np.uint8]) -> None:
        """One frame."""
        picture = media.encode_exr(data_hwc, single=intrinsics.is_single(self._kind))
        self._zip.writestr(zipfile.ZipInfo(f"{index:06d}.exr", _EPOCH), picture)
        self._raw.write(np.ascontiguousarray(shown_hw3).tobytes())

    def finish(self, store: ArtifactStore, num_frames: int) -> IntrinsicMap:
        """The map as artifacts."""
        self._zip.close()
        self._raw.close()
        width, height = self._size_px
        pixels = np.memmap(self._raw_path, np.uint8, "r", shape=(num_frames, height, width, 3))
        return IntrinsicMap(
            kind=IntrinsicKind.ValueType(self._kind),
            data=store.put_file(self._zip_path, "application/zip"),
            preview=media.put_clip(store, iter(pixels), self._size_px, self._fps),
            preview_encoding=intrinsics.ENCODINGS[self._kind],
            exact=True,
        )
