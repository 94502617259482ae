"""The captioner and the exporters state the attributes of a light, for random lights of every kind."""

import math

import pytest

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import camera_pb2, light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_captioner.measure import Measured
from lumenmill_captioner.requested.expected import ExpectedLight, expected_light
from lumenmill_captioner.requested.frames import camera_frame
from lumenmill_captioner.words import Words, light_text
from lumenmill_light import vocabulary
from lumenmill_light.attributes import attributes, source_attributes
from lumenmill_light.axes import circular_difference_deg, scene_to_level
from lumenmill_light.irradiance import irradiance_of_source
from lumenmill_light.spherical_harmonics import sphere_directions
from lumenmill_orchestrator.exporters.columns import row_of
from lumenmill_orchestrator.exporters.interfaces import ExportedSample

from .random_lights import LIGHTS, RADIANCE, radiance_of

CAMERA_DEG = 40.0


def seen(light: light_pb2.Light, camera_deg: float = 0.0) -> ExpectedLight:
    camera = camera_pb2.Camera(viewpoint=camera_pb2.Viewpoint(azimuth_deg=camera_deg, elevation_deg=10.0))
    return expected_light(light, camera_frame(camera), lambda artifact, field: RADIANCE, "light")


@pytest.mark.parametrize("source", LIGHTS)
def test_the_captioner_expects_the_exact_attributes(source: light_pb2.LightSource) -> None:
    light = light_pb2.Light(sources=[source])
    exact = attributes(light, radiance_of=radiance_of)
    assert seen(light).attributes == exact
    turned = seen(light, CAMERA_DEG).attributes
    if exact.HasField("azimuth_deg"):
        assert circular_difference_deg(turned.azimuth_deg, exact.azimuth_deg - CAMERA_DEG) < 1e-3
    turned.azimuth_deg = exact.azimuth_deg
    assert turned == exact or not exact.HasField("azimuth_deg")


@pytest.mark.parametrize("source", LIGHTS)
def test_the_captioner_expects_the_radiance_that_a_white_ball_has(source: light_pb2.LightSource) -> None:
    normals = sphere_directions(40)
    exact = irradiance_of_source(source, normals, RADIANCE)
    assert exact is not None
    found = seen(light_pb2.Light(sources=[source]), CAMERA_DEG).shading(scene_to_level(normals, CAMERA_DEG))
    assert found == pytest.approx(exact / math.pi, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("source", LIGHTS)
def test_captions_use_the_words_of_the_exact_attributes(source: light_pb2.LightSource) -> None:
    light = light_pb2.Light(sources=[source])
    exact, hue = attributes(light, radiance_of=radiance_of), source_attributes(source, radiance_of).hue
    unknown = Measured(
        captioner_pb2.LightMeasurement(), {"luminance_contrast_ev": 4.0}, None, None, 0.0, is_scene_linear=False
    )
    for seed in range(6):
        text = light_text(unknown, seen(light), Words(seed)).lower()
        if exact.HasField("color_temperature_k"):
            assert any(word in text for word in vocabulary.TEMPERATURE_K.band(exact.color_temperature_k).words)
        else:
            assert hue in text
        if exact.HasField("azimuth_deg"):
            phrases = [vocabulary.direction_phrase(exact.azimuth_deg, exact.elevation_deg, i) for i in range(4)]
            assert any(phrase in text for phrase in phrases)
        if not source.HasField("environment_map"):
            assert any(word in text for word in vocabulary.HARDNESS.band(exact.hardness).words)


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
