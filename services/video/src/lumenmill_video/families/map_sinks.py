"""Collects the maps of a clip into artifacts: for each kind a ZIP of EXR files and a preview clip."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind, IntrinsicMap
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_media import put_clip
from lumenmill_neural.intrinsic_maps import PREVIEW_ENCODINGS, encode_map, preview_of

__all__ = ["MapSinks"]

Array = NDArray[np.float32]

# ZIP files hold the time of their entries; with a constant one equal maps give equal bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class MapSinks:
    """Takes frames of maps in order and makes artifacts of them; uses files in a folder meanwhile."""

    def __init__(self, folder: Path, kinds: Sequence[int], size_px: tuple[int, int]) -> None:
        self._sinks = {kind: _Sink(folder, kind, size_px) for kind in kinds}

    def add(self, maps: Mapping[int, Array]) -> None:
        """Add the next frames (N, H, W, C) of every kind."""
        for kind, frames in maps.items():
            for frame in frames:
                self._sinks[kind].add(frame)

    def finish(self, store: ArtifactStore, fps: float) -> list[IntrinsicMap]:
        """Return the maps as artifacts, in the order of the kinds."""
        return [sink.finish(store, fps) for sink in self._sinks.values()]


class _Sink:
    def __init__(self, folder: Path, kind: int, size_px: tuple[int, int]) -> None:
        self._kind, self._size_px, self._num_frames = kind, size_px, 0
        self._zip_path, self._raw_path = folder / f"{kind}.zip", folder / f"{kind}.rgb"
        self._zip = zipfile.ZipFile(self._zip_path, "w", zipfile.ZIP_STORED)
        self._raw = self._raw_path.open("wb")

    def add(self, data_hwc: Array) -> None:
        self._zip.writestr(zipfile.ZipInfo(f"{self._num_frames:06d}.exr", _EPOCH), encode_map(self._kind, data_hwc))
        self._raw.write(np.ascontiguousarray(preview_of(self._kind, data_hwc)).tobytes())
        self._num_frames += 1

    def finish(self, store: ArtifactStore, fps: float) -> IntrinsicMap:
        self._zip.close()
        self._raw.close()
        even_px = self._size_px[0] // 2 * 2, self._size_px[1] // 2 * 2
        return IntrinsicMap(
            kind=IntrinsicKind.ValueType(self._kind),
            data=store.put_file(self._zip_path, "application/zip"),
            preview=put_clip(store, self._shown(even_px), even_px, fps),
            preview_encoding=PREVIEW_ENCODINGS[self._kind],
            exact=False,
        )

    def _shown(self, even_px: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
        """Yield frames without their last column or row if the size is odd: H.264 in 4:2:0 requires even sizes."""
        width, height = self._size_px
        pixels = np.memmap(self._raw_path, np.uint8, "r", shape=(self._num_frames, height, width, 3))
        yield from pixels[:, : even_px[1], : even_px[0]]
