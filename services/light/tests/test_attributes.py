"""Attributes follow from the sources, for every kind of light, per source and in total."""

import math

import numpy as np
import pytest

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill_light import build, environment_map, sun_sky
from lumenmill_light.attributes import attributes, completed, total
from lumenmill_light.axes import angle_between_deg, unit_vector
from lumenmill_light.color import LUMINANCE, temperature_rgb
from lumenmill_light.difference import ERROR_NAMES, difference
from lumenmill_light.environment import environment_of
from lumenmill_light.hardness import hardness_of_size
from lumenmill_light.irradiance import irradiance_of_source
from lumenmill_light.path import light_at
from lumenmill_light.source_attributes import source_attributes
from lumenmill_light.sources import kind_name, kind_of
from lumenmill_light.spherical_harmonics import sphere_directions

MAP = artifact_pb2.Artifact(sha256="0" * 64, name="room_1k.hdr")
COSINES = environment_map.directions(64) @ unit_vector(-50.0, 40.0)
RADIANCE = 0.1 + 40.0 * (math.cos(math.radians(9.0)) < COSINES)[..., None] * temperature_rgb(3000.0)

SOURCES = {
    "area": build.area_light(-45, 30, 1, 1, 4, 3.0, build.kelvin(3200)),
    "directional": build.directional_light(120, -20, 0.5, 2.0, build.kelvin(8000)),
    "wide directional": build.directional_light(60, 20, 60.0, 2.0, build.kelvin(5250)),
    "low sun": build.sun_sky_light(70, 4, 3, 1, 1, 0.53),
    "high sun": build.sun_sky_light(-30, 55, 2.5, 1, 0.3, 0.53),
    "sky": build.sun_sky_light(-30, 40, 3, 0, 1, 0.53),
    "harmonics": build.spherical_harmonics_light(130, 25, 0.9, 2.0, temperature_rgb(4000)),
    "environment map": build.environment_light(MAP, 30.0, 1.0),
}


def radiance_of(_artifact: artifact_pb2.Artifact) -> np.ndarray:
    return RADIANCE


@pytest.mark.parametrize("name", SOURCES)
def test_a_white_ball_shows_the_attributes_of_its_light(name: str) -> None:
    source = SOURCES[name]
    found = attributes(light_pb2.Light(sources=[source]), radiance_of=radiance_of)
    normals = sphere_directions(6000)
    ball = irradiance_of_source(source, normals, RADIANCE) / math.pi
    brightest = int(np.argmax(ball @ LUMINANCE))
    if found.HasField("azimuth_deg"):
        facing = irradiance_of_source(source, unit_vector(found.azimuth_deg, found.elevation_deg)[None], RADIANCE)
        level = float(facing[0] @ LUMINANCE) / math.pi
    else:
        level = float(ball[brightest] @ LUMINANCE)
    assert math.log2(level) == pytest.approx(found.intensity_ev, abs=0.1)
    assert source_attributes(source, radiance_of).kind == kind_of(source) == found.kinds[0]
    assert kind_name(found.kinds[0]) == source.WhichOneof("kind")


@pytest.mark.parametrize("name", SOURCES)
def test_an_environment_gives_the_light_of_its_sources(name: str) -> None:
    source = SOURCES[name]
    normals = np.stack([unit_vector(azimuth, 30.0) for azimuth in range(-180, 180, 30)])
    drawn = environment_map.irradiance_on(environment_of(light_pb2.Light(sources=[source]), radiance_of), normals)
    exact = irradiance_of_source(source, normals, RADIANCE)
    assert np.abs(drawn - exact).max() < 0.15 * exact.max()


def test_attributes_of_a_key_and_fill() -> None:
    key = build.area_light(-45, 30, 1, 1, 4, math.pi, build.kelvin(3200))
    fill = build.area_light(50, 10, 4, 4, 4, math.pi / 4, build.kelvin(6500))
    found = attributes(light_pb2.Light(sources=[fill, key]))
    assert found.azimuth_deg == -45 and found.elevation_deg == 30
    assert found.color_temperature_k == 3200
    assert found.contrast_ev == pytest.approx(math.log2(5))
    assert found.intensity_ev == pytest.approx(math.log2(1.25))
    parts = [source_attributes(source) for source in (fill, key)]
    assert total(parts) == found
    assert parts[0].to_proto().color_temperature_k == 6500


def test_harmonics_have_the_direction_and_colour_they_were_built_with() -> None:
    source = build.spherical_harmonics_light(130, 25, 0.9, 2.0, temperature_rgb(4000))
    found = attributes(light_pb2.Light(sources=[source]))
    assert found.azimuth_deg == pytest.approx(130, abs=0.01)
    assert found.elevation_deg == pytest.approx(25, abs=0.01)
    assert found.color_temperature_k == pytest.approx(4000, rel=0.02)
    # The irradiance on a surface that faces the light: π L₀ (1 + 2a/3 + b/4), with a = 0.81 and b = 0.315.
    facing = 2.0 * (1.0 + 2.0 / 3.0 * 0.81 + 0.25 * 0.315)
    assert found.intensity_ev == pytest.approx(math.log2(facing / math.pi), abs=1e-3)
    even = build.spherical_harmonics_light(130, 25, 0.0, 2.0, (1, 1, 1))
    assert not attributes(light_pb2.Light(sources=[even])).HasField("azimuth_deg")


def test_a_map_is_analysed_where_its_radiance_is_given() -> None:
    light = light_pb2.Light(sources=[build.environment_light(MAP, 30.0, 1.0)])
    assert [field.name for field, _ in attributes(light).ListFields()] == ["kinds"]
    found = attributes(light, radiance_of=radiance_of)
    assert angle_between_deg(found.azimuth_deg, found.elevation_deg, -20.0, 40.0) < 2.0
    assert 0.2 < found.hardness < 0.7
    assert found.color_temperature_k < 4000
    background = light_pb2.LightSource(background=light_pb2.BackgroundLight(image=MAP))
    behind = attributes(light_pb2.Light(sources=[background]), radiance_of=lambda _: np.ones((32, 48, 3), np.float32))
    assert (behind.azimuth_deg, behind.elevation_deg) == (180.0, 0.0) and behind.HasField("intensity_ev")


def test_attributes_are_relative_to_the_camera() -> None:
    found = attributes(light_pb2.Light(sources=[SOURCES["area"]]), camera_azimuth_deg=100.0)
    assert found.azimuth_deg == -145.0 and found.elevation_deg == 30.0


def test_what_only_the_statement_knows_is_completed() -> None:
    derived = light_pb2.LightAttributes(hardness=0.4, kinds=[light_pb2.LIGHT_KIND_ENVIRONMENT_MAP])
    stated = light_pb2.LightAttributes(azimuth_deg=-170, elevation_deg=10, hardness=0.9)
    found = completed(derived, stated, camera_azimuth_deg=30.0)
    assert found.azimuth_deg == 160.0 and found.elevation_deg == 10.0
    assert found.hardness == pytest.approx(0.4) and found.kinds == derived.kinds


def test_light_in_words_alone_and_no_light() -> None:
    assert attributes(light_pb2.Light(text="warm")).kinds == [light_pb2.LIGHT_KIND_TEXT]
    assert not attributes(light_pb2.Light()).ListFields()
    dark = build.directional_light(0, 0, 0, 0.0, build.kelvin(5000))
    assert not attributes(light_pb2.Light(sources=[dark])).HasField("intensity_ev")


@pytest.mark.parametrize(("low_deg", "high_deg"), [(3, 8), (8, 20), (20, 60)])
def test_a_higher_sun_is_whiter(low_deg: float, high_deg: float) -> None:
    low, high = (
        attributes(light_pb2.Light(sources=[build.sun_sky_light(0, elevation, 3, 1, 0, 0.53)])).color_temperature_k
        for elevation in (low_deg, high_deg)
    )
    assert low < high < 5800


def test_a_sun_behind_the_sky_is_softer_and_without_a_sun_there_is_no_direction() -> None:
    clear, veiled, sunless = (
        sun_sky.daylight(build.sun_sky_light(0, 40, 3, scale, 1, 0.53).sun_sky) for scale in (1.0, 0.07, 0.0)
    )
    assert clear.hardness > 0.9 and 0.6 > veiled.hardness > sunless.hardness == 0.0
    assert clear.has_sun and veiled.has_sun and not sunless.has_sun
    assert clear.sun_share > veiled.sun_share > sunless.sun_share == 0.0


def test_a_smaller_source_is_harder() -> None:
    hardness = [hardness_of_size(size_deg) for size_deg in (0.0, 0.53, 10.0, 20.0, 60.0, 180.0)]
    assert hardness == sorted(hardness, reverse=True) and hardness[0] == 1.0 and hardness[3] == 0.5


def test_differences_are_in_the_units_of_the_error_columns() -> None:
    measured = light_pb2.LightAttributes(
        azimuth_deg=10, elevation_deg=0, hardness=0.2, color_temperature_k=4000, intensity_ev=-1
    )
    expected = light_pb2.LightAttributes(
        azimuth_deg=-20, elevation_deg=0, hardness=0.6, color_temperature_k=5000, intensity_ev=0.5
    )
    error = difference(measured, expected)
    assert error.direction_deg == pytest.approx(30) and error.hardness == pytest.approx(0.4)
    assert error.color_temperature_mired == pytest.approx(50) and error.intensity_ev == pytest.approx(-1.5)
    assert not error.HasField("contrast_ev")
    assert ERROR_NAMES == ("direction_deg", "hardness", "contrast_ev", "color_temperature_mired", "intensity_ev")
    assert not difference(measured, light_pb2.LightAttributes()).ListFields()


def path_between(first: light_pb2.LightSource, last: light_pb2.LightSource, interpolation: int) -> light_pb2.LightPath:
    return light_pb2.LightPath(
        interpolation=interpolation,
        keyframes=[
            light_pb2.LightKeyframe(time_fraction=time, light=light_pb2.Light(sources=[source]))
            for time, source in ((0.0, first), (1.0, last))
        ],
    )


def test_light_on_a_path_is_between_its_keyframes() -> None:
    ends = [
        build.area_light(azimuth_deg, 30.0, 1.0, 1.0, 4.0, 2.0, build.kelvin(temperature_k))
        for azimuth_deg, temperature_k in ((-80.0, 3000), (80.0, 6000))
    ]
    moving = light_at(path_between(*ends, light_pb2.LIGHT_INTERPOLATION_MOVE), 0.25).sources[0].area
    assert moving.azimuth_deg == pytest.approx(-40.0) and moving.color.temperature_k == pytest.approx(3429, abs=1)
    fading = light_at(path_between(*ends, light_pb2.LIGHT_INTERPOLATION_BLEND), 0.25).sources
    assert [source.area.azimuth_deg for source in fading] == [-80.0, 80.0]
    assert [source.area.irradiance for source in fading] == pytest.approx([1.5, 0.5])


@pytest.mark.parametrize("name", SOURCES)
def test_every_kind_of_light_fades_in_proportion(name: str) -> None:
    source = SOURCES[name]
    path = path_between(source, SOURCES["area"], light_pb2.LIGHT_INTERPOLATION_BLEND)
    whole, half = (source_attributes(part, radiance_of) for part in (source, light_at(path, 0.5).sources[0]))
    assert whole.irradiance is not None and half.irradiance == pytest.approx(whole.irradiance / 2)


def test_defaults_are_written_out_where_sources_move() -> None:
    first = light_pb2.LightSource(sun_sky=light_pb2.SunSkyLight(sun_elevation_deg=10))
    last = light_pb2.LightSource(sun_sky=light_pb2.SunSkyLight(sun_elevation_deg=30, sun_scale=0.5, turbidity=5))
    sun = light_at(path_between(first, last, light_pb2.LIGHT_INTERPOLATION_MOVE), 0.5).sources[0].sun_sky
    assert (sun.sun_elevation_deg, sun.sun_scale, sun.sky_scale, sun.turbidity) == (20.0, 0.75, 1.0, 4.0)


def test_a_background_lights_as_an_upright_panel_and_is_drawn_as_one() -> None:
    picture = np.zeros((40, 60, 3), np.float32)
    picture[:20, 30:] = (4.0, 1.0, 0.25)
    light = light_pb2.Light(sources=[light_pb2.LightSource(background=light_pb2.BackgroundLight(image=MAP))])
    drawn = environment_of(light, lambda _: picture)
    lit = (drawn @ LUMINANCE * environment_map.solid_angles(*drawn.shape[:2]))[..., None]
    middle = (lit * environment_map.directions(drawn.shape[0])).sum(axis=(0, 1))
    # The upper right of the picture, as the camera sees it, is behind the subject, above it and on its right.
    assert middle[0] > 0 and middle[1] > 0 and middle[2] < 0
    whole = environment_of(light, lambda _: np.ones((40, 60, 3), np.float32))
    behind = environment_map.irradiance_on(whole, unit_vector(180.0, 0.0))[0]
    stated = attributes(light, radiance_of=lambda _: np.ones((40, 60, 3), np.float32))
    assert math.log2(float(behind @ LUMINANCE) / math.pi) == pytest.approx(stated.intensity_ev, abs=0.1)
