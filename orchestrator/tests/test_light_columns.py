"""Columns of light: every error follows from the columns beside it, and angles are relative to the camera."""

import random
from typing import Any

import pyarrow as pa
import pytest

from lumenmill.common.v1 import artifact_pb2, camera_pb2, light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_light.axes import angle_between_deg
from lumenmill_light.color import mired
from lumenmill_orchestrator.exporters.columns import SCHEMA, row_of
from lumenmill_orchestrator.exporters.interfaces import ExportedSample

_RANGES = {
    "azimuth_deg": (-180, 180), "elevation_deg": (-80, 80), "hardness": (0, 1), "contrast_ev": (0, 8),
    "color_temperature_k": (2000, 12000), "intensity_ev": (-8, 4),
}  # fmt: skip


def _row(sample: run_pb2.Sample) -> dict[str, Any]:
    """Return the row as a reader of the exported table gets it."""
    return pa.Table.from_pylist([row_of(ExportedSample(sample, "train"), {})], schema=SCHEMA).to_pylist()[0]  # type: ignore[no-any-return]


def _attributes(rng: random.Random) -> light_pb2.LightAttributes:
    known = {name: rng.uniform(*span) for name, span in _RANGES.items() if rng.random() < 0.8}
    return light_pb2.LightAttributes(**known)  # type: ignore[arg-type]


def _error(row: dict[str, Any], first: str, second: str, name: str) -> float | None:
    """Compute one error from the columns of two descriptions."""
    fields = {
        "direction_deg": ("azimuth_deg", "elevation_deg"), "hardness": ("hardness",), "contrast_ev": ("contrast_ev",),
        "color_temperature_mired": ("color_temperature_k",), "intensity_ev": ("intensity_ev",),
    }[name]  # fmt: skip
    a, b = ([row[f"{prefix}_{field}"] for field in fields] for prefix in (first, second))
    if None in (*a, *b):
        return None
    if name == "direction_deg":
        return angle_between_deg(*a, *b)
    if name == "color_temperature_mired":
        return mired(b[0]) - mired(a[0])
    return b[0] - a[0] if name == "intensity_ev" else abs(b[0] - a[0])


def _expect(row: dict[str, Any], error: str, first: str, second: str) -> None:
    for name in ("direction_deg", "hardness", "contrast_ev", "color_temperature_mired", "intensity_ev"):
        expected = _error(row, first, second, name)
        assert row[f"{error}_{name}"] == (None if expected is None else pytest.approx(expected, abs=1e-4))


@pytest.mark.parametrize("seed", range(20))
def test_errors_follow_from_the_columns_of_the_row(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    sample = run_pb2.Sample(requested_attributes=_attributes(rng), measured_light=_attributes(rng))
    sample.scores["light_error_intensity_ev"] = 3.39  # from elsewhere; the columns do not follow it
    _expect(_row(sample), "error", "requested", "measured")
    sample.arrived_light.attributes.CopyFrom(_attributes(rng))
    row = _row(sample)
    _expect(row, "error", "requested", "arrived")
    _expect(row, "measurement_error", "arrived", "measured")


def test_the_requested_light_is_relative_to_the_camera() -> None:
    source = light_pb2.LightSource(directional=light_pb2.DirectionalLight(azimuth_deg=30, irradiance=3))
    sample = run_pb2.Sample(requested_light=light_pb2.Light(sources=[source]))
    sample.record.camera.CopyFrom(camera_pb2.Camera(viewpoint=camera_pb2.Viewpoint(azimuth_deg=-60)))
    assert _row(sample)["requested_azimuth_deg"] == pytest.approx(90)
    sample.requested_attributes.azimuth_deg = 88
    assert _row(sample)["requested_azimuth_deg"] == 88, "as the captioner derived it, maps analysed"


def test_sources_that_arrived_and_confidences_have_columns() -> None:
    sample = run_pb2.Sample()
    source = sample.arrived_light.sources.add(source_index=1, share=0.75, unoccluded_fraction=0.5)
    source.attributes.MergeFrom(light_pb2.LightAttributes(kinds=[light_pb2.LIGHT_KIND_AREA], azimuth_deg=40))
    source.color.MergeFrom(light_pb2.RgbColor(red=1.5, green=0.9, blue=0.5))
    sample.scores["confidence_azimuth_deg"] = 0.75
    facts = artifact_pb2.ImageFacts(width_px=8, height_px=8, white_balance_gains=[0.5, 1.25, 2.0])
    sample.media["image"].CopyFrom(artifact_pb2.Artifact(media_type="image/png", image=facts))
    row = _row(sample)
    (arrived,) = row["arrived_sources"]
    assert (arrived["kind"], arrived["source_index"], arrived["share"]) == ("area", 1, 0.75)
    assert (arrived["azimuth_deg"], arrived["unoccluded_fraction"], arrived["hardness"]) == (40, 0.5, None)
    assert arrived["rgb"] == pytest.approx([1.5, 0.9, 0.5], abs=1e-6)
    assert row["confidence_azimuth_deg"] == 0.75 and row["confidence_color_temperature_k"] is None
    assert row["white_balance_gains"] == [0.5, 1.25, 2.0]
    assert row["requested_kind"] is None and row["error_direction_deg"] is None
