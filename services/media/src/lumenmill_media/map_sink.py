"""Write one intrinsic map of a clip: a ZIP file of EXR images that are named by frame number, and a preview clip."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind, IntrinsicMap
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_media.rgb import put_clip

__all__ = ["MapEncoding", "MapSink"]

Array = NDArray[np.float32]

# ZIP files hold the time of their entries; with a constant one equal maps give equal bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class MapEncoding:
    """How the maps of one kind are stored and shown.

    Attributes:
        exr: returns the EXR bytes of a map (H, W, C).
        preview: returns the display pixels (H, W, 3) of a map.
        preview_encoding: name of the mapping from values to those pixels.
        is_exact: whether a renderer made the maps; others are estimates.
    """

    exr: Callable[[Array], bytes]
    preview: Callable[[Array], NDArray[np.uint8]]
    preview_encoding: str
    is_exact: bool


class MapSink:
    """Takes the maps of one kind frame by frame, and uses files in a folder until the clip is finished."""

    def __init__(self, folder: Path, kind: int, size_px: tuple[int, int], encoding: MapEncoding) -> None:
        self._kind, self._size_px, self._encoding = kind, size_px, encoding
        self._zip_path, self._raw_path = folder / f"{kind}.zip", folder / f"{kind}.rgb"
        self._zip = zipfile.ZipFile(self._zip_path, "w", zipfile.ZIP_STORED)
        self._raw = self._raw_path.open("wb")
        self._num_frames = 0
        self._data: Array | None = None
        self._exr, self._preview = b"", b""

    def add(self, data_hwc: Array) -> None:
        """Add the map of the next frame; the same array again, as under a still camera, is not encoded again."""
        if data_hwc is not self._data:
            self._data, self._exr = data_hwc, self._encoding.exr(data_hwc)
            self._preview = np.ascontiguousarray(self._encoding.preview(data_hwc)).tobytes()
        self._zip.writestr(zipfile.ZipInfo(f"{self._num_frames:06d}.exr", _EPOCH), self._exr)
        self._raw.write(self._preview)
        self._num_frames += 1

    def finish(self, store: ArtifactStore, fps: float) -> IntrinsicMap:
        """Store the map and return its artifacts; errors as `ArtifactStore.put_file`."""
        self._zip.close()
        self._raw.close()
        even_px = self._size_px[0] // 2 * 2, self._size_px[1] // 2 * 2
        return IntrinsicMap(
            kind=IntrinsicKind.ValueType(self._kind),
            data=store.put_file(self._zip_path, "application/zip"),
            preview=put_clip(store, self._shown(even_px), even_px, fps),
            preview_encoding=self._encoding.preview_encoding,
            exact=self._encoding.is_exact,
        )

    def _shown(self, even_px: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
        """Yield frames without their last column or row if the size is odd: H.264 in 4:2:0 requires even sizes."""
        width, height = self._size_px
        pixels = np.memmap(self._raw_path, np.uint8, "r", shape=(self._num_frames, height, width, 3))
        yield from pixels[:, : even_px[1], : even_px[0]]
