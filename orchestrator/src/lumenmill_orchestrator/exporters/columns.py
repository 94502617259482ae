"""One fixed schema for all samples, null where a value is unknown. docs/exports.md explains the columns."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from lumenmill.common.v1 import camera_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.exporters.interfaces import ExportedSample
from lumenmill_orchestrator.exporters.light_columns import LIGHT_FIELDS, light_columns

__all__ = ["SCHEMA", "SCHEMA_VERSION", "json_row_of", "row_of"]

SCHEMA_VERSION = 4
"""Part of the content keys of files: a new number makes exports write all files again. Raise it with the columns."""

_MEDIA_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TEXT_COLUMNS = ("id", "run_id", "item_id", "scene_key", "group_id", "split", "kind", "step")
_WORDS = ("caption", "light_caption", "instruction", "prompt")

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXT_COLUMNS),
        *((name, pa.string()) for name in _WORDS),
        ("image", _MEDIA_FILE),
        ("video", _MEDIA_FILE),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("num_frames", pa.int32()),
        ("fps", pa.float32()),
        ("exposure_ev", pa.float32()),
        ("tone_map", pa.string()),
        ("white_balance_gains", pa.list_(pa.float32())),
        *LIGHT_FIELDS,
        ("camera_azimuth_deg", pa.float32()),
        ("camera_elevation_deg", pa.float32()),
        ("camera_distance_ratio", pa.float32()),
        ("camera_focal_length_mm", pa.float32()),
        ("camera_move", pa.string()),
        ("camera_move_amount", pa.float32()),
        ("model_family", pa.string()),
        ("model", pa.string()),
        ("model_revision", pa.string()),
        ("model_preset", pa.string()),
        ("seed", pa.uint64()),
        (
            "licences",
            pa.list_(
                pa.struct([("subject", pa.string()), ("spdx_id", pa.string()), ("allows_commercial_use", pa.bool_())])
            ),
        ),
        ("scores", pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())]))),
        (
            "media",
            pa.list_(
                pa.struct(
                    [
                        ("role", pa.string()),
                        ("sha256", pa.string()),
                        ("media_type", pa.string()),
                        ("size_bytes", pa.int64()),
                        ("uri", pa.string()),
                        ("bytes", pa.binary()),
                    ]
                )
            ),
        ),
        ("create_time", pa.timestamp("us", tz="UTC")),
    ]
)


def row_of(exported: ExportedSample, media: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the row of a sample; `media` holds the bytes to embed by role and is empty for references alone."""
    sample = exported.sample
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    row |= {name: getattr(sample, name) or None for name in _TEXT_COLUMNS if name not in ("split", "kind")}
    row |= {name: getattr(sample, name) or None for name in _WORDS}
    row["split"] = exported.split
    row["kind"] = run_pb2.SampleKind.Name(sample.kind).removeprefix("SAMPLE_KIND_").lower()
    row["create_time"] = sample.create_time.ToMicroseconds()
    row |= _media_columns(sample, media)
    row |= light_columns(sample)
    row["scores"] = [{"name": name, "value": sample.scores[name]} for name in sorted(sample.scores)]
    if sample.HasField("camera"):
        row |= _camera_columns(sample.camera)
    if sample.record.family or sample.record.model:
        record = sample.record
        row |= {"model_family": record.family, "model": record.model, "model_revision": record.revision}
        row |= {"model_preset": record.preset or None, "seed": record.seed}
    row["licences"] = [
        {
            "subject": licence.subject,
            "spdx_id": licence.spdx_id,
            "allows_commercial_use": licence.allows_commercial_use
            if licence.HasField("allows_commercial_use")
            else None,
        }
        for licence in sample.licences
    ]
    return row


def json_row_of(exported: ExportedSample) -> dict[str, Any]:
    """Return the row of a sample for JSON, whose readers infer types from values: no value is null.

    An unknown value is "" for strings, NaN for floats and 0 for integers. Lists are strings of JSON, times are Unix
    seconds. The columns of the media files themselves are left to the export format.
    """
    row = row_of(exported, {})
    return {field.name: _json_value(field.type, row[field.name]) for field in SCHEMA if field.type != _MEDIA_FILE}


def _json_value(kind: pa.DataType, value: Any) -> Any:
    if pa.types.is_list(kind):
        entries = [_without_bytes(entry) for entry in value or []]
        return json.dumps(entries, ensure_ascii=False)
    if pa.types.is_floating(kind):
        return math.nan if value is None else float(value)
    if pa.types.is_timestamp(kind):
        return value / 1e6
    if pa.types.is_uint64(kind):  # exceeds the integers of JSON readers
        return "" if value is None else str(value)
    return (0 if pa.types.is_integer(kind) else "") if value is None else value


def _without_bytes(entry: Any) -> Any:
    return {name: value for name, value in entry.items() if name != "bytes"} if isinstance(entry, dict) else entry


def _media_columns(sample: run_pb2.Sample, media: Mapping[str, bytes]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for role in ("image", "video"):
        if role in sample.media:
            artifact = sample.media[role]
            # Readers of datasets open paths, not file URIs.
            columns[role] = {"bytes": media.get(role), "path": artifact.uri.removeprefix("file://")}
            columns |= _facts(artifact)
    columns["media"] = [
        {
            "role": role,
            "sha256": sample.media[role].sha256,
            "media_type": sample.media[role].media_type,
            "size_bytes": sample.media[role].size_bytes,
            "uri": sample.media[role].uri,
            "bytes": media.get(role),
        }
        for role in sorted(sample.media)
    ]
    return columns


def _facts(artifact: Any) -> dict[str, Any]:
    if artifact.HasField("video"):
        facts = artifact.video
        return {
            "width_px": facts.width_px,
            "height_px": facts.height_px,
            "num_frames": facts.num_frames,
            "fps": facts.fps,
        }
    if not artifact.HasField("image"):
        return {}
    facts = artifact.image
    exposure_ev = facts.exposure_ev if facts.HasField("exposure_ev") else None
    return {
        "width_px": facts.width_px,
        "height_px": facts.height_px,
        "exposure_ev": exposure_ev,
        "tone_map": facts.tone_map or None,
        "white_balance_gains": list(facts.white_balance_gains) or None,
    }


def _camera_columns(camera: camera_pb2.Camera) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if camera.HasField("viewpoint"):
        viewpoint = camera.viewpoint
        columns["camera_azimuth_deg"] = viewpoint.azimuth_deg
        for name in ("elevation_deg", "distance_ratio", "focal_length_mm"):
            columns[f"camera_{name}"] = getattr(viewpoint, name) if viewpoint.HasField(name) else None
    move = camera.path.WhichOneof("move") if camera.HasField("path") else None
    if move is not None:
        amounts = [value for _, value in getattr(camera.path, move).ListFields()]
        columns |= {"camera_move": move, "camera_move_amount": amounts[0] if amounts else None}
    return columns
