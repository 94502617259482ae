"""Known light says the same as the maker of the light states."""

import numpy as np
import pytest
from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.known import camera_frame, expected_light, light_at, unit_vector
from lumenmill_light import build
from lumenmill_light.attributes import attributes
from numpy.typing import NDArray


def no_map(_artifact: object, _field: str) -> NDArray[np.float32]:
    raise AssertionError("no map here")


def softbox(width_ratio: float) -> light_pb2.LightSource:
    return build.area_light(-40.0, 30.0, width_ratio, 2.0 * width_ratio, 4.0, 3.0, build.kelvin(4000))


def parallel(diameter_deg: float) -> light_pb2.LightSource:
    return build.directional_light(60.0, 20.0, diameter_deg, 3.0, build.kelvin(5000))


SOURCES = {
    "small lamp": softbox(0.2),
    "softbox": softbox(1.0),
    "wide softbox": softbox(4.0),
    "sharp light": parallel(0.5),
    "wide light": parallel(80.0),
    "clear sun": build.sun_sky_light(30.0, 40.0, 3.0, 1.0, 0.3, 0.53),
    "veiled sun": build.sun_sky_light(30.0, 40.0, 3.0, 0.07, 1.0, 18.0),
    "overcast sky": build.sun_sky_light(30.0, 40.0, 3.0, 0.0, 1.0, 0.53),
    "harmonics": build.spherical_harmonics_light(-60.0, 25.0, 0.8, 2.0, (1.0, 0.9, 0.8)),
}


@pytest.mark.parametrize("name", SOURCES)
def test_hardness_and_direction_are_those_that_were_asked_for(name: str) -> None:
    light = light_pb2.Light(sources=[SOURCES[name]])
    light.attributes.CopyFrom(attributes(light))
    known = expected_light(light, camera_frame(None), no_map, "light").attributes
    assert known.hardness == pytest.approx(light.attributes.hardness, abs=1e-3)
    if light.attributes.HasField("azimuth_deg"):
        stated, found = (unit_vector(side.azimuth_deg, side.elevation_deg) for side in (light.attributes, known))
        assert float(stated @ found) > 0.999


@pytest.mark.parametrize(("sun_ev", "hard"), [(14.0, True), (4.0, False)])
def test_hardness_of_an_environment_map_follows_where_half_of_its_light_is(sun_ev: float, hard: bool) -> None:
    radiance = np.full((64, 128, 3), 0.1, np.float32)
    radiance[20, 40] = 2.0**sun_ev
    light = light_pb2.Light(sources=[light_pb2.LightSource(environment_map=light_pb2.EnvironmentMapLight())])
    known = expected_light(light, camera_frame(None), lambda artifact, field: radiance, "light").attributes
    assert (known.hardness > 0.8) if hard else (known.hardness < 0.2)


def test_light_on_a_path_is_between_its_keyframes() -> None:
    ends = [
        build.area_light(azimuth_deg, 30.0, 1.0, 1.0, 4.0, 2.0, build.kelvin(temperature_k))
        for azimuth_deg, temperature_k in ((-80.0, 3000), (80.0, 6000))
    ]
    path = light_pb2.LightPath(
        interpolation=light_pb2.LIGHT_INTERPOLATION_MOVE,
        keyframes=[
            light_pb2.LightKeyframe(time_fraction=time, light=light_pb2.Light(sources=[source]))
            for time, source in zip((0.0, 1.0), ends, strict=True)
        ],
    )
    moving = light_at(path, 0.25).sources[0].area
    assert moving.azimuth_deg == pytest.approx(-40.0) and moving.color.temperature_k == pytest.approx(3429, abs=1)
    path.interpolation = light_pb2.LIGHT_INTERPOLATION_BLEND
    fading = light_at(path, 0.25).sources
    assert [source.area.azimuth_deg for source in fading] == [-80.0, 80.0]
    assert [source.area.irradiance for source in fading] == pytest.approx([1.5, 0.5])
