"""Parquet, as the `datasets` library opens it."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lumenmill_orchestrator.exporters.columns import SCHEMA, row_of
from lumenmill_orchestrator.exporters.interfaces import Destination, ExportedSample, ExportFormat
from lumenmill_orchestrator.exporters.shards import ShardSeries

__all__ = ["PARQUET"]

_MEDIA_TYPE = "application/vnd.apache.parquet"
_ROWS_PER_GROUP = 256
_GROUP_BYTES = 32 << 20


def _export(samples: Iterator[ExportedSample], to: Destination) -> None:
    """Write `data/<split>-00000.parquet` and so on."""
    format_key = f"parquet/1/{'embedded' if to.embed_media else 'referred'}"
    series: dict[str, ShardSeries] = {}
    for exported in samples:
        split = exported.split
        if split not in series:
            stem = f"data/{split}"
            series[split] = ShardSeries(to, stem, ".parquet", _MEDIA_TYPE, format_key, partial(_write, to))
        series[split].add(exported, _num_media_bytes(exported) if to.embed_media else 0)
    for split in sorted(series):
        series[split].close()


PARQUET = ExportFormat(_export)


def _write(to: Destination, path: Path, samples: Sequence[ExportedSample]) -> None:
    """Write one file, one row group at a time."""
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        rows: list[dict[str, Any]] = []
        num_bytes = 0
        for exported in samples:
            media = exported.sample.media.items() if to.embed_media else ()
            rows.append(row_of(exported, {role: to.store.read_bytes(artifact) for role, artifact in media}))
            num_bytes += _num_media_bytes(exported) if to.embed_media else 0
            if len(rows) >= _ROWS_PER_GROUP or num_bytes >= _GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
                rows, num_bytes = [], 0
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))


def _num_media_bytes(exported: ExportedSample) -> int:
    return sum(artifact.size_bytes for artifact in exported.sample.media.values())


def _features(kind: pa.DataType) -> Any:
    """Return a column's type as the `datasets` library describes it."""
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
