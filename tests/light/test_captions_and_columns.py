"""The captioner and the exporters derive the same attributes of a requested light, for random lights of every kind."""

import math

import pytest

from lumenmill.common.v1 import camera_pb2, light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_captioner.requested.attributes import requested_attributes
from lumenmill_captioner.requested.frames import camera_frame
from lumenmill_light.attributes import attributes
from lumenmill_light.axes import circular_difference_deg
from lumenmill_orchestrator.exporters.columns import row_of
from lumenmill_orchestrator.exporters.interfaces import ExportedSample

from .random_lights import LIGHTS, RADIANCE, radiance_of

CAMERA_DEG = 40.0


def seen(light: light_pb2.Light, camera_deg: float = 0.0) -> light_pb2.LightAttributes:
    camera = camera_pb2.Camera(viewpoint=camera_pb2.Viewpoint(azimuth_deg=camera_deg, elevation_deg=10.0))
    return requested_attributes(light, camera_frame(camera), lambda artifact, field: RADIANCE, "light")


@pytest.mark.parametrize("source", LIGHTS)
def test_the_captioner_expects_the_exact_attributes(source: light_pb2.LightSource) -> None:
    light = light_pb2.Light(sources=[source])
    exact = attributes(light, radiance_of=radiance_of)
    assert seen(light) == exact
    turned = seen(light, CAMERA_DEG)
    if exact.HasField("azimuth_deg"):
        assert circular_difference_deg(turned.azimuth_deg, exact.azimuth_deg - CAMERA_DEG) < 1e-3
    turned.azimuth_deg = exact.azimuth_deg
    assert turned == exact or not exact.HasField("azimuth_deg")


@pytest.mark.parametrize("source", LIGHTS)
def test_columns_are_the_exact_attributes(source: light_pb2.LightSource) -> None:
    exact = attributes(light_pb2.Light(sources=[source]), radiance_of=radiance_of)
    # The exporters read no files: attributes of an environment map are those that the light states.
    light = light_pb2.Light(sources=[source], attributes=exact)
    row = row_of(ExportedSample(sample=run_pb2.Sample(requested_light=light), split="train"), {})
    assert row["requested_kind"] == source.WhichOneof("kind")
    for name in ("azimuth_deg", "elevation_deg", "hardness", "color_temperature_k", "intensity_ev"):
        assert row[f"requested_{name}"] == (getattr(exact, name) if exact.HasField(name) else None)
    if not source.HasField("environment_map"):
        assert math.log2(row["requested_irradiance"] / math.pi) == pytest.approx(exact.intensity_ev, abs=1e-4)
