"""Write one intrinsic map of all frames of a clip: a ZIP of EXR files, and a preview clip."""

import zipfile
from pathlib import Path

import numpy as np

import lumenmill_media as media
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind, IntrinsicMap
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_studio.families import intrinsics
from lumenmill_studio.light.basis import Image

__all__ = ["MapSink"]

# Of all entries, so that equal maps give equal bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class MapSink:
    """Collects one map over a clip in a folder: a ZIP of EXR files, and raw preview pixels for the encoder."""

    def __init__(self, folder: Path, kind: int, size_px: tuple[int, int], fps: float, exposure_ev: float) -> None:
        self._kind, self._size_px, self._fps, self._exposure_ev = kind, size_px, fps, exposure_ev
        self._zip_path, self._raw_path = folder / f"{kind}.zip", folder / f"{kind}.rgb"
        self._zip = zipfile.ZipFile(self._zip_path, "w", zipfile.ZIP_STORED)
        self._raw = self._raw_path.open("wb")
        self._num_frames = 0
        self._data: Image | None = None
        self._encoded, self._preview = b"", b""

    def add(self, data_hwc: Image) -> None:
        """Add the map of the next frame; the same array again, as under a still camera, is not encoded again."""
        if data_hwc is not self._data:
            self._data = data_hwc
            self._encoded = media.encode_exr(data_hwc, single=intrinsics.is_single(self._kind))
            shown = intrinsics.preview(self._kind, data_hwc, self._exposure_ev)
            self._preview = np.ascontiguousarray(shown).tobytes()
        self._zip.writestr(zipfile.ZipInfo(f"{self._num_frames:06d}.exr", _EPOCH), self._encoded)
        self._raw.write(self._preview)
        self._num_frames += 1

    def finish(self, store: ArtifactStore) -> IntrinsicMap:
        """Store the map and return its artifacts; errors as `ArtifactStore.put_file`."""
        self._zip.close()
        self._raw.close()
        width, height = self._size_px
        pixels = np.memmap(self._raw_path, np.uint8, "r", shape=(self._num_frames, height, width, 3))
        return IntrinsicMap(
            kind=IntrinsicKind.ValueType(self._kind),
            data=store.put_file(self._zip_path, "application/zip"),
            preview=media.put_clip(store, iter(pixels), self._size_px, self._fps),
            preview_encoding=intrinsics.ENCODINGS[self._kind],
            exact=True,
        )
