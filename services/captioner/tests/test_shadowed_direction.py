"""Direction, colour and intensity of a key on surfaces that cast shadows on each other."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lumenmill_captioner.measure import Evidence, Measured, measure
from lumenmill_captioner.measure.direction import relief_in
from lumenmill_captioner.measure.evidence import surface_of
from lumenmill_captioner.measure.shading_color import color_estimates, color_samples
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import mired, temperature_rgb
from lumenmill_media import linear_to_srgb

Vector = NDArray[np.float64]

WIDTH_PX, HEIGHT_PX, FOCAL_PX = 160, 120, 200.0
PITCH_DEG, DISTANCE = 18.0, 5.0


def camera_axes() -> Vector:
    """Rows right, up and back of a camera that looks down at the origin."""
    pitch = math.radians(PITCH_DEG)
    back = np.array([0.0, math.sin(pitch), math.cos(pitch)])
    return np.stack([[1.0, 0.0, 0.0], np.cross(back, [1.0, 0.0, 0.0]), back])


def first_hits(starts: Vector, directions: Vector) -> tuple[Vector, Vector]:
    """Return distances (N,), infinite for none, and normals (N, 3) of a sphere of radius 0.6 on the floor."""
    along = (starts * directions).sum(-1)
    root = along**2 - ((starts**2).sum(-1) - 0.36)
    sphere = np.where(root > 0.0, -along - np.sqrt(np.maximum(root, 0.0)), np.inf)
    sphere = np.where(sphere > 1e-6, sphere, np.inf)
    with np.errstate(divide="ignore"):
        floor = (-0.6 - starts[:, 1]) / directions[:, 1]
    floor = np.where(floor > 1e-6, floor, np.inf)
    distance = np.minimum(sphere, floor)
    points = starts + np.where(np.isfinite(distance), distance, 0.0)[:, None] * directions
    return distance, np.where((sphere < floor)[:, None], points / 0.6, [0.0, 1.0, 0.0])


def lit_sphere(
    azimuth_deg: float,
    elevation_deg: float,
    *,
    lamp_distance: float = math.inf,
    temperature_k: float = 6504.0,
    even: float | Vector = 0.1,
    floor_rgb: tuple[float, float, float] = (0.5, 0.5, 0.5),
    mirrored: float = 0.0,
) -> Evidence:
    """A grey sphere on a floor, lit with irradiance π by one lamp, and by even light, white or of a colour (3,).

    Both mirror surroundings of radiance `mirrored`, as varnish does.
    """
    axes = camera_axes()
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    in_camera = (
        np.stack([x - (WIDTH_PX - 1) / 2, (HEIGHT_PX - 1) / 2 - y, np.full(x.shape, -FOCAL_PX)], axis=-1).reshape(-1, 3)
        / FOCAL_PX
    )
    rays = in_camera @ axes
    distance, normals = first_hits(
        np.broadcast_to(DISTANCE * axes[2], rays.shape), rays / np.linalg.norm(rays, axis=-1)[:, None]
    )
    seen = distance < 12.0
    depth = np.where(seen, distance / np.linalg.norm(in_camera, axis=-1), 0.0)
    points = DISTANCE * axes[2] + depth[:, None] * rays
    toward = np.broadcast_to(unit_vector(azimuth_deg, elevation_deg), points.shape)
    falloff = np.ones(len(points))
    if math.isfinite(lamp_distance):
        toward = lamp_distance * toward - points
        length = np.linalg.norm(toward, axis=-1)
        toward, falloff = toward / length[:, None], (lamp_distance / length) ** 2
    blocked = np.isfinite(first_hits(points + 1e-3 * normals, toward)[0])
    lit = np.where(blocked, 0.0, np.maximum((normals * toward).sum(-1), 0.0)) * falloff
    shading = (lit[:, None] * temperature_rgb(temperature_k) + even) * seen[:, None]
    albedo = np.where((normals[:, 1] > 0.99)[:, None], floor_rgb, 0.5)
    cosines = np.clip(-(normals * rays).sum(-1) / np.linalg.norm(rays, axis=-1), 0.0, 1.0)
    gloss = mirrored * (0.04 + 0.96 * (1.0 - cosines) ** 5) * seen
    shading += gloss[:, None] / albedo
    linear = (albedo * shading).reshape(HEIGHT_PX, WIDTH_PX, 3).astype(np.float32)
    noise = np.random.default_rng(0).normal(1.0, 0.01, linear.shape)
    return Evidence(
        display=linear_to_srgb(linear),
        linear=linear,
        weight=np.ones((HEIGHT_PX, WIDTH_PX), np.float32),
        is_scene_linear=True,
        clipped_fractions=(0.0, 0.0),
        normals=np.where(seen[:, None], normals, 0.0).reshape(HEIGHT_PX, WIDTH_PX, 3).astype(np.float32),
        shading=(np.where(seen[:, None], shading, np.nan).reshape(linear.shape) * noise).astype(np.float32),
        albedo=albedo.reshape(linear.shape).astype(np.float32),
        depth=depth.reshape(HEIGHT_PX, WIDTH_PX).astype(np.float32),
        focal_px=FOCAL_PX,
        camera_axes=axes,
    )


def error_deg(measured: Measured, azimuth_deg: float, elevation_deg: float) -> float:
    attributes = measured.proto.attributes
    assert attributes.HasField("azimuth_deg")
    found = unit_vector(attributes.azimuth_deg, attributes.elevation_deg)
    return math.degrees(math.acos(float(np.clip(found @ unit_vector(azimuth_deg, elevation_deg), -1.0, 1.0))))


@pytest.mark.parametrize("azimuth_deg", [-120.0, -60.0, 20.0, 80.0, 150.0])
@pytest.mark.parametrize("lamp_distance", [3.0, math.inf])
def test_direction_by_cast_shadows(azimuth_deg: float, lamp_distance: float) -> None:
    measured = measure(lit_sphere(azimuth_deg, 40.0, lamp_distance=lamp_distance))
    assert measured.proto.methods["azimuth_deg"] == "shadowed-lambert-search"
    assert measured.proto.confidences["azimuth_deg"] >= 0.5
    assert error_deg(measured, azimuth_deg, 40.0) < 8.0


def test_intensity_is_that_on_a_surface_that_faces_the_key() -> None:
    evidence = lit_sphere(-60.0, 40.0)
    once = measure(evidence).proto.attributes
    assert once.intensity_ev == pytest.approx(math.log2(1.1), abs=0.25)
    brighter = replace(evidence, linear=4.0 * evidence.linear, shading=4.0 * evidence.shading)
    assert measure(brighter).proto.attributes.intensity_ev == pytest.approx(once.intensity_ev + 2.0, abs=0.05)
    photograph = replace(evidence, is_scene_linear=False)
    assert not measure(photograph).proto.attributes.HasField("intensity_ev")


@pytest.mark.parametrize("temperature_k", [2800.0, 4500.0, 9000.0])
def test_the_temperature_is_that_of_the_key(temperature_k: float) -> None:
    measured = measure(lit_sphere(-60.0, 40.0, temperature_k=temperature_k, even=0.02))
    assert mired(measured.proto.attributes.color_temperature_k) == pytest.approx(mired(temperature_k), abs=12.0)
    assert measured.proto.confidences["color_temperature_k"] >= 0.6


def test_even_light_of_another_color_does_not_change_the_temperature_of_the_key() -> None:
    evidence = lit_sphere(-60.0, 40.0, temperature_k=4000.0, even=0.35 * temperature_rgb(9000.0))
    samples = color_samples(evidence, surface_of(evidence), relief_in(evidence))
    found = color_estimates(samples) if samples is not None else None
    assert found is not None and mired(found.color.temperature_k) == pytest.approx(mired(4000.0), abs=12.0)


def test_varnish_on_colored_surfaces_does_not_change_the_temperature() -> None:
    evidence = lit_sphere(-60.0, 40.0, temperature_k=4000.0, even=0.02, floor_rgb=(0.5, 0.2, 0.06), mirrored=0.3)
    measured = measure(evidence)
    assert mired(measured.proto.attributes.color_temperature_k) == pytest.approx(mired(4000.0), abs=12.0)


def test_light_of_two_colors_is_mixed() -> None:
    evidence = lit_sphere(-60.0, 40.0, temperature_k=2800.0)
    assert evidence.shading is not None
    cool = replace(evidence, shading=evidence.shading + 0.2 * temperature_rgb(12000.0).astype(np.float32))
    assert measure(cool).scores["color_temperature_mix_mired"] > 60.0


def test_a_dark_channel_hides_its_color_alone() -> None:
    evidence = lit_sphere(80.0, 40.0)
    assert evidence.shading is not None and evidence.normals is not None
    is_ball = (evidence.normals[..., 1] < 0.99) & (np.linalg.norm(evidence.normals, axis=-1) > 0.5)
    red = evidence.shading.copy()
    red[is_ball, 1:] = np.nan
    measured = measure(replace(evidence, shading=red))
    assert error_deg(measured, 80.0, 40.0) < 8.0
