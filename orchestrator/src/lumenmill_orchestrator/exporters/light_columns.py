"""Columns of light: requested, arrived and measured, each error beside the two descriptions that it follows from.

All angles are relative to the camera. docs/exports.md explains the columns.
"""

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lumenmill.common.v1 import light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_light.attributes import attributes, completed, ranked
from lumenmill_light.difference import ERROR_NAMES, difference
from lumenmill_light.source_attributes import source_attributes
from lumenmill_light.sources import kind_name

__all__ = ["LIGHT_FIELDS", "light_columns"]

_ATTRIBUTES = tuple(field.name for field in light_pb2.LightAttributes.DESCRIPTOR.fields if field.name != "kinds")
# Those that measurements have; a direction has one, that of its azimuth.
_CONFIDENCES = ("azimuth_deg", "color_temperature_k")
_SOURCE = pa.struct(
    [
        ("kind", pa.string()),
        ("source_index", pa.int32()),
        ("share", pa.float32()),
        ("unoccluded_fraction", pa.float32()),
        *((name, pa.float32()) for name in _ATTRIBUTES if name != "contrast_ev"),
        ("rgb", pa.list_(pa.float32())),
    ]
)

LIGHT_FIELDS: tuple[tuple[str, pa.DataType], ...] = (
    ("requested_text", pa.string()),
    ("requested_name", pa.string()),
    ("requested_kind", pa.string()),
    ("requested_kinds", pa.list_(pa.string())),
    *((f"requested_{name}", pa.float32()) for name in _ATTRIBUTES),
    ("requested_irradiance", pa.float32()),
    ("requested_sh", pa.list_(pa.float32())),
    ("environment_map_sha256", pa.string()),
    ("environment_map_rotation_deg", pa.float32()),
    ("environment_map_exposure_ev", pa.float32()),
    ("arrived_kind", pa.string()),
    ("arrived_kinds", pa.list_(pa.string())),
    *((f"arrived_{name}", pa.float32()) for name in _ATTRIBUTES),
    ("arrived_sources", pa.list_(_SOURCE)),
    *((f"measured_{name}", pa.float32()) for name in _ATTRIBUTES),
    *((f"confidence_{name}", pa.float32()) for name in _CONFIDENCES),
    *((f"error_{name}", pa.float64()) for name in ERROR_NAMES),
    *((f"measurement_error_{name}", pa.float64()) for name in ERROR_NAMES),
)


def light_columns(sample: run_pb2.Sample) -> dict[str, Any]:
    """Return the columns of light that are known of a sample."""
    requested = _requested_attributes(sample)
    arrived = sample.arrived_light.attributes if sample.HasField("arrived_light") else None
    measured = sample.measured_light if sample.HasField("measured_light") else None
    columns: dict[str, Any] = {}
    if sample.HasField("requested_light"):
        columns |= _light(sample.requested_light)
    if requested is not None:
        columns |= _kinds("requested", requested.kinds) | _attributes("requested", requested)
    if arrived is not None:
        columns |= _kinds("arrived", arrived.kinds) | _attributes("arrived", arrived)
        columns["arrived_sources"] = [_source(source) for source in sample.arrived_light.sources]
    if measured is not None:
        columns |= _attributes("measured", measured)
    columns |= {f"confidence_{name}": sample.scores.get(f"confidence_{name}") for name in _CONFIDENCES}
    columns |= _errors("error", requested, measured if arrived is None else arrived)
    return columns | _errors("measurement_error", arrived, measured)


def _requested_attributes(sample: run_pb2.Sample) -> light_pb2.LightAttributes | None:
    """Return the attributes of the requested light relative to the camera: those that the captioner derived, which has
    opened the maps; else those that the sources determine, completed by the light's own statement."""
    if sample.HasField("requested_attributes"):
        return sample.requested_attributes
    if not sample.HasField("requested_light"):
        return None
    light, camera_azimuth_deg = sample.requested_light, _camera_azimuth_deg(sample)
    derived = attributes(light, camera_azimuth_deg=camera_azimuth_deg)
    found = completed(derived, light.attributes, camera_azimuth_deg)
    if not derived.kinds:
        found.kinds[:] = light.attributes.kinds
    return found


def _camera_azimuth_deg(sample: run_pb2.Sample) -> float:
    camera = sample.camera if sample.HasField("camera") else sample.record.camera
    return camera.viewpoint.azimuth_deg


def _light(light: light_pb2.Light) -> dict[str, Any]:
    """Return what only the sources of the requested light have."""
    strongest = ranked([source_attributes(source) for source in light.sources])[:1]
    columns: dict[str, Any] = {
        "requested_text": light.text or None,
        "requested_name": light.name or None,
        "requested_irradiance": strongest[0].irradiance if strongest else None,
    }
    for source in reversed(light.sources):  # columns of a kind are those of its first source
        columns |= _of_one_kind(source)
    return columns


def _of_one_kind(source: light_pb2.LightSource) -> dict[str, Any]:
    if source.HasField("environment_map"):
        found = source.environment_map
        return {
            "environment_map_sha256": found.map.sha256,
            "environment_map_rotation_deg": found.rotation_deg,
            "environment_map_exposure_ev": found.exposure_ev,
        }
    if source.HasField("spherical_harmonics"):
        return {"requested_sh": list(source.spherical_harmonics.coefficients)}
    return {}


def _source(source: light_pb2.ArrivedSource) -> dict[str, Any]:
    kinds = source.attributes.kinds
    return _given(source.attributes) | {
        "kind": kind_name(kinds[0]) if kinds else None,
        "source_index": source.source_index,
        "share": source.share,
        "unoccluded_fraction": source.unoccluded_fraction,
        "rgb": [source.color.red, source.color.green, source.color.blue] if source.HasField("color") else None,
    }


def _kinds(prefix: str, kinds: "Sequence[light_pb2.LightKind.ValueType]") -> dict[str, Any]:
    names = [kind_name(kind) for kind in kinds]
    return {f"{prefix}_kind": names[0] if names else None, f"{prefix}_kinds": names}


def _attributes(prefix: str, found: light_pb2.LightAttributes) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in _given(found).items()}


def _given(found: light_pb2.LightAttributes) -> dict[str, float]:
    return {field.name: value for field, value in found.ListFields() if field.name != "kinds"}


def _errors(
    prefix: str, first: light_pb2.LightAttributes | None, second: light_pb2.LightAttributes | None
) -> dict[str, float]:
    """Return the differences from the first description to the second, computed from the columns of the same row."""
    if first is None or second is None:
        return {}
    found = difference(second, first).ListFields()
    return {f"{prefix}_{field.name}": value for field, value in found if math.isfinite(value)}
