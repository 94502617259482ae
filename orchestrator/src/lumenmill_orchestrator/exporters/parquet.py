"""Parquet, as the `datasets` library opens it: one file or more for each split, written group by group."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore

from lumenmill_orchestrator.exporters.columns import SCHEMA, row_of, split_of
from lumenmill_orchestrator.exporters.seam import DatasetFile

__all__ = ["export_parquet"]

_MEDIA_TYPE = "application/vnd.apache.parquet"
_ROWS_PER_GROUP = 256
_GROUP_BYTES = 32 << 20
_FILE_BYTES = 512 << 20


def export_parquet(
    samples: Iterator[run_pb2.Sample],
    folder: Path,
    store: ArtifactStore,
    *,
    embed_media: bool,
    on_sample: Callable[[int], None],
) -> list[DatasetFile]:
    """Write samples as `data/<split>-00000.parquet`. See exporters.seam.Exporter."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    splits: dict[str, _SplitWriter] = {}
    for num_written, sample in enumerate(samples, 1):
        split = split_of(sample)
        writer = splits.get(split) or splits.setdefault(split, _SplitWriter(folder, split))
        media = {role: store.read_bytes(artifact) for role, artifact in sample.media.items()} if embed_media else {}
        writer.add(row_of(sample, dict(media)), sum(map(len, media.values())))
        on_sample(num_written)
    return [file for split in sorted(splits) for file in splits[split].close()]


class _SplitWriter:
    """Files of one split. Memory holds one row group."""

    def __init__(self, folder: Path, split: str) -> None:
        self._folder, self._split = folder, split
        self._files: list[DatasetFile] = []
        self._writer: pq.ParquetWriter | None = None
        self._rows: list[dict[str, Any]] = []
        self._group_bytes = 0
        self._file_bytes = 0

    def add(self, row: dict[str, Any], num_media_bytes: int) -> None:
        """Add one row."""
        self._rows.append(row)
        self._group_bytes += num_media_bytes
        if len(self._rows) >= _ROWS_PER_GROUP or self._group_bytes >= _GROUP_BYTES:
            self._flush()

    def close(self) -> list[DatasetFile]:
        """Write what is left; the files."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
        return self._files

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self._writer = self._open()
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=_SCHEMA))
        self._file_bytes += self._group_bytes
        self._rows, self._group_bytes = [], 0
        if self._file_bytes >= _FILE_BYTES:
            self._writer.close()
            self._writer, self._file_bytes = None, 0

    def _open(self) -> pq.ParquetWriter:
        path = f"data/{self._split}-{len(self._files):05d}.parquet"
        local = self._folder / path
        self._files.append(DatasetFile(path, local, _MEDIA_TYPE))
        return pq.ParquetWriter(local, _SCHEMA, compression="zstd")


def _features(kind: pa.DataType) -> Any:
    """A column's type in the words of the `datasets` library."""
    if pa.types.is_struct(kind):
        return {field.name: _features(field.type) for field in kind}
    if pa.types.is_list(kind):
        return {"feature": _features(kind.value_type), "_type": "List"}
    if pa.types.is_timestamp(kind):
        return {"dtype": "timestamp[us, tz=UTC]", "_type": "Value"}
    names = {"float": "float32", "double": "float64"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}


def _schema_with_features() -> pa.Schema:
    features = {field.name: _features(field.type) for field in SCHEMA}
    features["image"] = {"_type": "Image"}
    return SCHEMA.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


_SCHEMA = _schema_with_features()
