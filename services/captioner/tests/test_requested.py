"""A requested light is expected to look as its sources imply."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.requested.attributes import requested_attributes
from lumenmill_captioner.requested.frames import camera_frame
from lumenmill_light import build
from lumenmill_light.attributes import attributes
from lumenmill_light.axes import unit_vector


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
def test_hardness_and_direction_are_those_of_the_sources(name: str) -> None:
    light = light_pb2.Light(sources=[SOURCES[name]])
    light.attributes.CopyFrom(attributes(light))
    expected = requested_attributes(light, camera_frame(None), no_map, "light")
    assert expected.hardness == pytest.approx(light.attributes.hardness, abs=1e-3)
    if light.attributes.HasField("azimuth_deg"):
        stated, found = (unit_vector(side.azimuth_deg, side.elevation_deg) for side in (light.attributes, expected))
        assert float(stated @ found) > 0.999


@pytest.mark.parametrize(("sun_ev", "hard"), [(14.0, True), (4.0, False)])
def test_hardness_of_an_environment_map_follows_where_half_of_its_light_is(sun_ev: float, hard: bool) -> None:
    radiance = np.full((64, 128, 3), 0.1, np.float32)
    radiance[20, 40] = 2.0**sun_ev
    light = light_pb2.Light(sources=[light_pb2.LightSource(environment_map=light_pb2.EnvironmentMapLight())])
    expected = requested_attributes(light, camera_frame(None), lambda artifact, field: radiance, "light")
    assert (expected.hardness > 0.8) if hard else (expected.hardness < 0.2)
