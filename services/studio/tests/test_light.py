"""Rendered light agrees with ``light.proto``: irradiance, azimuth, rotation, harmonics; a basis agrees with tracing."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lumenmill.common.v1.light_pb2 import Light
from lumenmill_light import spherical_harmonics as sh
from lumenmill_light.attributes import attributes
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import temperature_rgb
from lumenmill_light.source_attributes import source_attributes
from lumenmill_studio.light.description import described
from lumenmill_studio.light.sources import resolved
from lumenmill_studio.render.variant import find_variant, use_variant

Patch = Callable[..., np.ndarray]
MAP_HEIGHT = 64


@pytest.fixture(scope="module")
def render_patch() -> Iterator[Patch]:
    """Radiance of a small white patch at the origin that faces ``normal``, under a light; in a thread of its own."""
    worker = ThreadPoolExecutor(1)
    worker.submit(lambda: use_variant(find_variant("scalar"))).result()

    def radiance(
        light: Light, normal: np.ndarray, pixels: np.ndarray | None = None, shared: bool = False
    ) -> np.ndarray:
        return worker.submit(_patch_radiance, light, normal, pixels, shared).result()

    yield radiance
    worker.shutdown()


def _patch_radiance(light: Light, normal: np.ndarray, pixels: np.ndarray | None, shared: bool) -> np.ndarray:
    import mitsuba as mi

    from lumenmill_studio.light.emitters import emitter_of
    from lumenmill_studio.render.tracer import built_scene

    up = [0, 1, 0] if abs(normal[1]) < 0.9 else [0, 0, 1]
    place = mi.ScalarTransform4f().look_at(origin=[0, 0, 0], target=normal.tolist(), up=up).scale(0.001)
    patch = mi.load_dict(
        {
            "type": "rectangle",
            "to_world": place,
            "bsdf": {"type": "diffuse", "reflectance": {"type": "rgb", "value": 1.0}},
        }
    )
    sensor = mi.load_dict(
        {
            "type": "radiancemeter",
            "origin": (normal * 0.5).tolist(),
            "direction": (-normal).tolist(),
            "film": {"type": "hdrfilm", "width": 1, "height": 1, "rfilter": {"type": "box"}, "pixel_format": "rgb"},
        }
    )
    total = np.zeros(3)
    for part in resolved(light, shared_harmonics=shared):
        scene = built_scene([patch], [emitter_of(part.unit, (1.0, 1.0, 1.0), 1.0, lambda sha: pixels)])
        image = mi.render(
            scene, sensor=sensor, integrator=mi.load_dict({"type": "path", "max_depth": 2}), spp=4096, seed=1
        )
        total += np.array(image).reshape(-1)[:3] * np.array(part.weight)
    return total


def test_area_lights_have_the_requested_irradiance(render_patch: Patch) -> None:
    light = Light()
    source = light.sources.add().area
    source.azimuth_deg, source.elevation_deg, source.irradiance, source.width_ratio, source.distance_ratio = (
        40,
        25,
        np.pi,
        2.0,
        3.0,
    )
    assert render_patch(light, unit_vector(40, 25)) == pytest.approx(np.ones(3), rel=0.01)


@pytest.mark.parametrize("diameter_deg", [0.0, 0.53, 30.0])
def test_directional_lights_have_the_requested_irradiance(render_patch: Patch, diameter_deg: float) -> None:
    light = Light()
    source = light.sources.add().directional
    source.azimuth_deg, source.elevation_deg, source.irradiance, source.angular_diameter_deg = (
        -120,
        50,
        2 * np.pi,
        diameter_deg,
    )
    source.color.temperature_k = 3000
    assert render_patch(light, unit_vector(-120, 50)) == pytest.approx(2 * temperature_rgb(3000), rel=0.01)


def test_light_at_azimuth_90_comes_from_the_right(render_patch: Patch) -> None:
    light = Light()
    source = light.sources.add().directional
    source.azimuth_deg, source.irradiance = 90, 1.0
    assert render_patch(light, np.array([1.0, 0, 0])).min() > 0.3
    assert render_patch(light, np.array([-1.0, 0, 0])).max() == 0


@pytest.mark.parametrize(("column", "azimuth_deg"), [(0.25, 90.0), (0.5, 0.0), (0.75, -90.0)])
def test_columns_and_rotation_of_environment_maps_give_the_azimuth(
    render_patch: Patch, column: float, azimuth_deg: float
) -> None:
    pixels = np.zeros((MAP_HEIGHT, 2 * MAP_HEIGHT, 3), np.float32)
    at = int(column * 2 * MAP_HEIGHT)
    pixels[MAP_HEIGHT // 2 - 3 : MAP_HEIGHT // 2 + 3, at - 3 : at + 3] = 100
    light = Light()
    source = light.sources.add().environment_map
    source.map.sha256 = "0" * 64
    for rotation in (0.0, 50.0):
        source.rotation_deg = rotation
        toward = render_patch(light, unit_vector(azimuth_deg + rotation, 0), pixels)
        aside = render_patch(light, unit_vector(azimuth_deg + rotation + 100, 0), pixels)
        assert toward.min() > 1
        assert aside.max() < 0.05 * toward.min()


def test_sun_comes_from_its_azimuth_and_sky_from_above(render_patch: Patch) -> None:
    light = Light()
    sun = light.sources.add().sun_sky
    sun.sun_azimuth_deg, sun.sun_elevation_deg, sun.sky_scale = -60, 30, 0.0
    toward = render_patch(light, unit_vector(-60, 30))
    assert toward.min() > 0.2
    assert render_patch(light, unit_vector(120, -30)).max() == 0
    sun.sky_scale, sun.sun_scale = 1.0, 0.0
    sky = render_patch(light, np.array([0.0, 1.0, 0.0]))
    assert sky[2] > sky[0] > 0


@pytest.mark.parametrize("shared", [False, True])
def test_harmonics_give_the_irradiance_of_the_formula(render_patch: Patch, shared: bool) -> None:
    table = np.zeros((3, 9))
    table[:, 0], table[:, 3], table[0, 1], table[:, 6] = 1.0, 0.6, 0.4, -0.3
    light = Light()
    light.sources.add().spherical_harmonics.coefficients.extend(table.ravel())
    normal = unit_vector(60, 30)
    band = np.array([np.pi, *[2 * np.pi / 3] * 3, *[np.pi / 4] * 5])
    expected = table @ (band * sh.basis(normal)) / np.pi
    assert render_patch(light, normal, shared=shared) == pytest.approx(expected, rel=0.03)


def test_words_and_attributes_follow_the_sources() -> None:
    light = Light()
    source = light.sources.add().area
    source.azimuth_deg, source.elevation_deg, source.irradiance, source.width_ratio = -90, 20, 3, 2.0
    source.color.temperature_k = 2800
    assert described(light, [source_attributes(source) for source in light.sources]) == "soft amber light from the left"
    found = attributes(light)
    assert found.azimuth_deg == pytest.approx(-90)
    assert found.color_temperature_k == pytest.approx(2800)
    assert 0.2 < found.hardness < 0.6


def test_a_variant_that_renders_is_found() -> None:
    assert find_variant("scalar").name == "scalar_rgb"
    found = find_variant("llvm", "/nowhere/libLLVM.so")
    assert found.name in ("llvm_ad_rgb", "scalar_rgb")
    assert found.device.startswith("cpu:")


def test_a_basis_agrees_with_tracing_and_is_fast() -> None:
    with ThreadPoolExecutor(1) as worker:
        worker.submit(_compare_basis_with_tracing).result()


def _compare_basis_with_tracing() -> None:
    use_variant(find_variant("scalar"))
    from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
    from lumenmill_studio.light.basis import weighted_sum
    from lumenmill_studio.light.emitters import emitter_of
    from lumenmill_studio.render.camera import pose_of
    from lumenmill_studio.render.stage import Stage
    from lumenmill_studio.render.tracer import built_scene, trace
    from lumenmill_studio.scenes.compose import compose

    spec = compose(SceneDescription(kind=SceneKind.SCENE_KIND_STILL_LIFE, subjects=["sphere", "pear"]), "", 1)
    shapes = [surface.shape for surface in Stage(spec, lambda item: ()).surfaces(open_set=False)]
    light = Light()
    for azimuth, kelvin, irradiance in ((-60.0, 2700.0, 4.0), (80.0, 9000.0, 0.7)):
        source = light.sources.add().area
        source.azimuth_deg, source.elevation_deg, source.irradiance = azimuth, 40, irradiance
        source.color.temperature_k = kelvin
    pose, size = pose_of(spec.camera, None), (160, 120)

    def traced(unit: object, weight: tuple[float, float, float]) -> np.ndarray:
        emitter = emitter_of(unit, weight, spec.subject_radius, lambda sha: None)  # type: ignore[arg-type]
        return trace(built_scene(shapes, [emitter]), pose, size, 16, 5, 3, hide_emitters=True, checkpoint=lambda: None)

    parts = resolved(light)
    traced(parts[0].unit, (1.0, 1.0, 1.0))
    started = time.perf_counter()
    direct = sum(traced(part.unit, part.weight) for part in parts)
    traced_s = time.perf_counter() - started
    units = [traced(part.unit, (1.0, 1.0, 1.0)) for part in parts]
    started = time.perf_counter()
    mixed = weighted_sum(zip(units, [part.weight for part in parts], strict=True))
    mixed_s = time.perf_counter() - started
    assert np.abs(mixed - direct).max() / direct.max() < 1e-3
    assert traced_s > 100 * mixed_s
