"""Accuracy of the measurements, on pictures whose light is known exactly."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scenes import Lamp, Scene, requested_light, sphere_scene

from lumenmill.common.v1 import camera_pb2, light_pb2
from lumenmill_captioner.measure import Measured, measure
from lumenmill_captioner.measure.confidence import MIN_DIRECTION_CONFIDENCE
from lumenmill_captioner.requested.attributes import requested_attributes
from lumenmill_captioner.requested.frames import camera_frame
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import mired
from lumenmill_media import decode_radiance


def direction_error_deg(measured: Measured, lamp: Lamp) -> float:
    assert measured.key is not None
    true = unit_vector(lamp.azimuth_deg, lamp.elevation_deg)
    return math.degrees(math.acos(float(np.clip(measured.key.direction @ true, -1.0, 1.0))))


@pytest.mark.parametrize("azimuth_deg", [-150, -90, -40, 0, 60, 120])
def test_direction_within_5_degrees(azimuth_deg: float) -> None:
    for elevation_deg in (-10, 25, 60):
        lamp = Lamp(azimuth_deg, elevation_deg, temperature_k=3200)
        measured = measure(sphere_scene(lamp).evidence())
        assert direction_error_deg(measured, lamp) < 5.0, (azimuth_deg, elevation_deg)
        assert measured.proto.confidences["azimuth_deg"] > 0.3
        # Light from the camera's own side leaves little shading; its direction is not certain enough to be stated.
        is_sure = measured.proto.confidences["azimuth_deg"] >= MIN_DIRECTION_CONFIDENCE
        assert measured.proto.attributes.HasField("azimuth_deg") == is_sure
        assert measured.proto.attributes.HasField("azimuth_deg") or azimuth_deg == 0


def test_direction_of_a_key_with_fill() -> None:
    key, fill = Lamp(-50, 35, 3200), Lamp(45, 15, 6500, size_deg=50, irradiance=0.8)
    measured = measure(sphere_scene(key, fill, even=0.02).evidence())
    assert direction_error_deg(measured, key) < 12.0


def test_direction_of_a_key_with_a_rim_light() -> None:
    key, rim = Lamp(50, 30, 5500), Lamp(-150, 25, 8000, irradiance=2.5)
    assert direction_error_deg(measure(sphere_scene(key, rim, even=0.02).evidence()), key) < 8.0


@pytest.mark.parametrize("temperature_k", [2000, 2700, 3200, 4500, 6500, 9000, 14000])
def test_color_temperature_within_25_mired(temperature_k: float) -> None:
    measured = measure(sphere_scene(Lamp(-40, 30, temperature_k), even=0.0).evidence())
    attributes = measured.proto.attributes
    assert abs(mired(attributes.color_temperature_k) - mired(temperature_k)) < 25.0
    assert measured.proto.methods["color_temperature_k"].startswith("shading-growth")


def test_a_green_gel_has_no_color_temperature() -> None:
    scene = sphere_scene(Lamp(-40, 30), even=0.0)
    green = Scene(scene.normals, scene.albedo, scene.linear * np.array([0.1, 1.0, 0.15], np.float32))
    measured = measure(green.evidence())
    assert not measured.proto.attributes.HasField("color_temperature_k") and measured.proto.duv > 0.03


def test_even_light_has_no_direction() -> None:
    measured = measure(sphere_scene(even=1.0).evidence())
    assert not measured.proto.attributes.HasField("azimuth_deg")
    assert len(measured.proto.spherical_harmonics) == 27


def test_a_picture_alone_has_no_direction_and_no_hardness() -> None:
    scene = sphere_scene(Lamp(-40, 30))
    whole = scene.evidence()
    measured = measure(replace(whole, is_scene_linear=False, normals=None, shading=None))
    for name in ("azimuth_deg", "elevation_deg", "hardness"):
        assert not measured.proto.attributes.HasField(name)
    assert not measured.proto.spherical_harmonics
    # Its patches have random colours: nothing in it is grey, so that no colour of its light can be known.
    assert not measured.proto.attributes.HasField("color_temperature_k")


def test_brightness_doubles_by_one_stop() -> None:
    scene = sphere_scene(Lamp(-40, 30), even=0.2)
    doubled = Scene(scene.normals, scene.albedo, scene.linear * 2.0)
    once, twice = (measure(entry.evidence()).proto.attributes.intensity_ev for entry in (scene, doubled))
    assert twice - once == pytest.approx(1.0, abs=0.05)


def test_contrast_follows_the_even_light() -> None:
    contrasts = [
        measure(sphere_scene(Lamp(-60, 20), even=e).evidence()).proto.attributes.contrast_ev for e in (0.4, 0.1, 0.02)
    ]
    assert contrasts == sorted(contrasts)
    # Of surfaces within 60° of the light the stripe in shadow is a tenth; the rest has a mean cosine near 0.78.
    assert contrasts[1] == pytest.approx(math.log2((0.7 + 0.1) / 0.1), abs=0.5)


def test_broad_sources_are_distinguished_from_narrow_ones() -> None:
    broad = measure(sphere_scene(Lamp(-75, 20, size_deg=120), even=0.0, noise=0.003).evidence())
    assert broad.proto.attributes.hardness < 0.35
    narrow = measure(sphere_scene(Lamp(-75, 20, size_deg=0), even=0.0, noise=0.003).evidence())
    assert not narrow.proto.attributes.HasField("hardness")


def test_harmonics_have_the_direction_of_the_light() -> None:
    measured = measure(sphere_scene(Lamp(-50, 30, 3200)).evidence())
    coefficients = np.array(measured.proto.spherical_harmonics).reshape(3, 9)
    vector = np.array([0.2126, 0.7152, 0.0722]) @ coefficients[:, [3, 1, 2]]
    assert float(vector @ unit_vector(-50, 30)) / float(np.linalg.norm(vector)) > math.cos(math.radians(25))
    assert coefficients[0, 0] > coefficients[2, 0]


def test_requested_light_is_relative_to_the_camera() -> None:
    camera = camera_pb2.Camera(viewpoint=camera_pb2.Viewpoint(azimuth_deg=30, elevation_deg=20))
    light = requested_light(Lamp(75, 40, 3200, size_deg=20))
    expected = requested_attributes(light, camera_frame(camera), lambda artifact, field: np.ones((4, 8, 3)), "light")
    assert expected.azimuth_deg == pytest.approx(45)
    assert expected.elevation_deg == pytest.approx(40)
    assert expected.hardness == pytest.approx(0.5)
    assert abs(mired(expected.color_temperature_k) - mired(3200)) < 2


def test_directions_are_corrected_for_camera_pitch() -> None:
    frame = camera_frame(camera_pb2.Camera(viewpoint=camera_pb2.Viewpoint(azimuth_deg=0, elevation_deg=30)))
    # What the camera sees head on faces 30° upwards.
    np.testing.assert_allclose(
        frame.level_from_camera(np.array([0.0, 0.0, 1.0])), [0.0, 0.5, math.cos(math.radians(30))], atol=1e-9
    )


@pytest.mark.parametrize(("rotation_deg", "camera_deg"), list(itertools.product((0.0, 70.0), (0.0, -40.0))))
def test_environment_maps_are_integrated(rotation_deg: float, camera_deg: float) -> None:
    radiance = np.full((64, 128, 3), 0.01, np.float32)
    radiance[16:20, 40:44] = (40.0, 26.0, 12.0)
    azimuth = 180 - 360 * 42 / 128
    light = light_pb2.Light(
        sources=[light_pb2.LightSource(environment_map=light_pb2.EnvironmentMapLight(rotation_deg=rotation_deg))]
    )
    camera = camera_pb2.Camera(viewpoint=camera_pb2.Viewpoint(azimuth_deg=camera_deg))
    expected = requested_attributes(light, camera_frame(camera), lambda artifact, field: radiance, "light")
    turn = (expected.azimuth_deg - (azimuth + rotation_deg - camera_deg) + 180) % 360 - 180
    assert abs(turn) < 3 and expected.elevation_deg == pytest.approx(39, abs=6)
    assert expected.color_temperature_k < 4500


def test_damaged_radiance_files_are_named() -> None:
    for data in (b"", b"#?RADIANCE\n\n-Y 8 +X 8\n", b"#?RADIANCE\n\n-Y 900000 +X 900000\n" + b"\x02" * 64):
        with pytest.raises(ValueError, match=r"Radiance|pixels"):
            decode_radiance(data, 1_000_000)
