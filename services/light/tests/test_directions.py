"""Angles, spherical harmonics and environment maps share the axes of light.proto."""

import numpy as np
import pytest

from lumenmill_light import environment_map as maps
from lumenmill_light import spherical_harmonics as sh
from lumenmill_light.axes import angle_between_deg, angles_of, scene_to_level, unit_vector, wrap_deg

UP = np.array([0.0, 1.0, 0.0])


def lamp(azimuth_deg: float, elevation_deg: float, base: float = 0.2, peak: float = 60.0) -> np.ndarray:
    """A map (64, 128, 3) with one bright spot over even light."""
    cosines = maps.directions(64) @ unit_vector(azimuth_deg, elevation_deg)
    return (base + peak * (cosines > np.cos(np.radians(8.0))))[..., None] * np.array([1.2, 1.0, 0.6])


def test_angles_come_back_from_vectors() -> None:
    assert unit_vector(90.0, 0.0) == pytest.approx([1.0, 0.0, 0.0])
    assert angles_of(unit_vector(-130.0, 35.0)) == pytest.approx((-130.0, 35.0))
    assert wrap_deg(190.0) == -170.0 and wrap_deg(-180.0) == 180.0
    assert angle_between_deg(170.0, 0.0, -170.0, 0.0) == pytest.approx(20.0)


def test_the_level_frame_of_a_camera_turns_azimuths_alone() -> None:
    turned = scene_to_level(unit_vector(70.0, 20.0), 50.0)
    assert angles_of(turned) == pytest.approx((20.0, 20.0))
    assert scene_to_level(turned, -50.0) == pytest.approx(unit_vector(70.0, 20.0))


@pytest.mark.parametrize(("column", "azimuth_deg"), [(0.25, 90.0), (0.5, 0.0), (0.75, -90.0)])
def test_columns_of_a_map_have_the_azimuths_of_the_contract(column: float, azimuth_deg: float) -> None:
    toward = maps.directions(64)[32, int(column * 128)]
    assert angle_between_deg(*angles_of(toward), azimuth_deg, 0.0) < 3.0
    assert maps.directions(64)[0, 0] @ UP > 0.999
    assert maps.solid_angles(64).sum() * 128 == pytest.approx(4 * np.pi)


def test_rotation_adds_to_the_azimuth_in_maps_and_harmonics_alike() -> None:
    turned = maps.turned(lamp(20.0, 30.0), 45.0)
    lobe = maps.dominant_lobe(turned)
    assert lobe is not None and angle_between_deg(*angles_of(lobe.direction), 65.0, 30.0) < 2.0
    assert sh.rotated(maps.projected(lamp(20.0, 30.0)), 45.0) == pytest.approx(maps.projected(turned), abs=0.02)


def test_irradiance_of_harmonics_is_that_of_the_map() -> None:
    radiance = lamp(20.0, 30.0)
    normals = sh.sphere_directions(50)
    exact, smooth = maps.irradiance_on(radiance, normals), sh.irradiance(maps.projected(radiance), normals)
    assert np.abs(exact - smooth).max() < 0.12 * exact.max()
    red = maps.projected(radiance)[0]
    assert sh.facing_weights(normals[3].tolist()) @ red == pytest.approx(smooth[3, 0])
    assert maps.irradiance_on(np.ones((64, 128, 3)), UP[None]) == pytest.approx(np.pi, rel=1e-2)


def test_the_dominant_lobe_has_direction_size_and_irradiance() -> None:
    lobe = maps.dominant_lobe(lamp(-70.0, 25.0, base=0.0))
    assert lobe is not None
    assert angle_between_deg(*angles_of(lobe.direction), -70.0, 25.0) < 1.5
    assert lobe.size_deg == pytest.approx(16.0, abs=3.0)
    assert lobe.directionality > 0.95
    expected = 60.0 * np.pi * np.sin(np.radians(8.0)) ** 2 * np.array([1.2, 1.0, 0.6])
    assert lobe.irradiance_rgb == pytest.approx(expected, rel=0.1)
    assert lobe.averted_rgb == pytest.approx(np.zeros(3), abs=1e-6)
    assert maps.dominant_lobe(np.zeros((64, 128, 3))) is None


def test_resizing_keeps_the_energy() -> None:
    image = np.random.default_rng(0).random((90, 200, 3))
    assert maps.resized(image, 64, 128).mean() == pytest.approx(image.mean(), rel=0.01)
    assert maps.reduced(np.repeat(np.repeat(image, 24, 0), 12, 1)).shape == (64, 128, 3)
