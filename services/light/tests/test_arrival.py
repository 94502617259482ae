"""What arrives follows from the sources and from what is in their way, for every kind of light."""

import math

import numpy as np
import pytest

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill_light import build, environment_map
from lumenmill_light.arrival import Arrival, arrived_light, arrived_source
from lumenmill_light.axes import angle_between_deg, unit_vector
from lumenmill_light.color import temperature_rgb
from lumenmill_light.source_attributes import SourceAttributes, source_attributes
from lumenmill_light.surroundings import SURROUNDINGS_HEIGHT, Reach, Surroundings, surrounding_radiance

MAP = artifact_pb2.Artifact(sha256="0" * 64, name="room_1k.hdr")
TOWARD = environment_map.directions(SURROUNDINGS_HEIGHT)
LOBE = environment_map.directions(64) @ unit_vector(-50.0, 40.0) > math.cos(math.radians(9.0))
RADIANCE = 0.1 + 40.0 * LOBE[..., None] * temperature_rgb(3000.0)
OPEN = Surroundings(np.full(TOWARD.shape[:2], 0.25), np.full(TOWARD.shape[:2], 0.25))
ALL = Reach(0.25, 0.25)

SOURCES = {
    "lamp": build.area_light(-45, 30, 1, 1, 4, 3.0, build.kelvin(3200)),
    "gel": build.directional_light(120, -20, 0.5, 2.0, build.rgb((1.0, 0.08, 0.55))),
    "low sun": build.sun_sky_light(70, 4, 3, 1, 1, 0.53),
    "veiled sun": build.sun_sky_light(-30, 55, 2.5, 0.1, 1, 0.53),
    "sky": build.sun_sky_light(-30, 40, 3, 0, 1, 0.53),
    "harmonics": build.spherical_harmonics_light(130, 25, 0.9, 2.0, temperature_rgb(4000)),
    "even harmonics": build.spherical_harmonics_light(130, 25, 0.0, 2.0, (1, 1, 1)),
    "environment map": build.environment_light(MAP, 30.0, 1.0),
}


def radiance_of(_artifact: artifact_pb2.Artifact) -> np.ndarray:
    return RADIANCE


def arrived(source: light_pb2.LightSource, reach: Reach = ALL, surroundings: Surroundings = OPEN) -> SourceAttributes:
    return arrived_source(source, source_attributes(source, radiance_of), reach, surroundings, radiance_of)


def behind_wall(azimuth_deg: float) -> Surroundings:
    """Surroundings of which one half is walled off."""
    is_open = TOWARD @ unit_vector(azimuth_deg, 0.0) < 0
    return Surroundings(np.where(is_open, 0.25, 0.0), OPEN.facing_hw)


@pytest.mark.parametrize("name", SOURCES)
def test_with_nothing_in_its_way_light_arrives_as_requested(name: str) -> None:
    source = SOURCES[name]
    found, expected = arrived(source).to_proto(), source_attributes(source, radiance_of).to_proto()
    assert found.kinds == expected.kinds
    assert found.HasField("azimuth_deg") == expected.HasField("azimuth_deg")
    if expected.HasField("azimuth_deg"):
        turn = angle_between_deg(found.azimuth_deg, found.elevation_deg, expected.azimuth_deg, expected.elevation_deg)
        assert turn < 2.0
    assert found.hardness == pytest.approx(expected.hardness, abs=0.03)
    assert found.HasField("color_temperature_k") == expected.HasField("color_temperature_k")
    assert found.color_temperature_k == pytest.approx(expected.color_temperature_k, rel=0.04)
    assert found.intensity_ev == pytest.approx(expected.intensity_ev, abs=0.12)


def test_even_light_stays_even_where_the_camera_sees_one_side() -> None:
    seen = np.where(TOWARD[..., 2] > 0, 0.25, 0.0)
    found = arrived(SOURCES["even harmonics"], surroundings=Surroundings(seen, seen))
    assert found.azimuth_deg is None and found.hardness == 0.0


def test_of_harmonics_no_more_arrives_than_there_is() -> None:
    source = light_pb2.LightSource()
    source.spherical_harmonics.coefficients.extend([0.3, 0, 0, 1, 0, 0, 0, 0, 0] * 3)
    radiance = surrounding_radiance(source, lambda _: np.zeros((1, 2, 3)))
    assert radiance.min() < 0.0, "harmonics have lobes below zero"
    for azimuth_deg in range(-180, 180, 45):
        reach = behind_wall(azimuth_deg).reach(radiance)
        assert 0.0 <= reach.arriving <= reach.facing
        assert 0.0 <= reach.unoccluded_fraction <= 1.0
    assert Reach(1.0 + 1e-9, 1.0).unoccluded_fraction == 1.0


def test_the_side_of_a_map_that_a_wall_hides_does_not_arrive() -> None:
    source = build.environment_light(MAP, 0.0, 0.0)
    assert arrived(source).azimuth_deg == pytest.approx(-50, abs=3)
    hidden = arrived(source, surroundings=behind_wall(-50.0))
    assert hidden.azimuth_deg is None or abs(hidden.azimuth_deg + 50.0) > 60.0
    assert hidden.intensity_ev is not None and hidden.intensity_ev < arrived(source).intensity_ev - 2.0
    fraction = behind_wall(-50.0).reach(surrounding_radiance(source, radiance_of)).unoccluded_fraction
    assert fraction < 0.2


def test_harmonics_have_the_colour_of_their_key_side() -> None:
    key = build.spherical_harmonics_light(-70, 20, 1.0, 1.0, temperature_rgb(2800)).spherical_harmonics
    cold = build.spherical_harmonics_light(110, 10, 1.0, 0.4, temperature_rgb(12000)).spherical_harmonics
    both = light_pb2.LightSource()
    both.spherical_harmonics.coefficients.extend(np.add(key.coefficients, cold.coefficients).tolist())
    found = arrived(both)
    assert found.azimuth_deg is not None and -110 < found.azimuth_deg < -30
    assert found.temperature_k is not None and found.temperature_k < 4000


def test_a_sun_behind_a_wall_leaves_the_sky() -> None:
    source = build.sun_sky_light(-60, 25, 3, 1, 1, 0.53)
    assert arrived(source).azimuth_deg == -60
    found = arrived(source, Reach(0.0, 0.25), behind_wall(-60.0))
    assert found.azimuth_deg is None and found.hardness == 0.0
    assert found.temperature_k is None or found.temperature_k > 7000
    assert found.intensity_ev is not None and -6.0 < found.intensity_ev < -2.0


def test_light_that_only_reflections_bring_has_no_direction_and_no_colour() -> None:
    found = arrived(SOURCES["lamp"], Reach(0.0, 0.25))
    [source] = arrived_light([Arrival(0, found, 0.0, 1.0)]).sources
    assert not source.attributes.HasField("azimuth_deg") and not source.HasField("color")
    assert source.attributes.hardness == 0.0 and not source.attributes.HasField("intensity_ev")
    half = arrived(SOURCES["lamp"], Reach(0.1, 0.2))
    assert half.intensity_ev == pytest.approx(math.log2(3.0 / math.pi) - 1.0)


def test_sources_stand_by_their_share_relative_to_the_camera() -> None:
    lamp, gel = (arrived(SOURCES[name]) for name in ("lamp", "gel"))
    shares = ((0, lamp, 0.6), (1, gel, 2.4), (2, lamp, 0.02))
    light = arrived_light([Arrival(index, found, 1.0, share) for index, found, share in shares], 30.0)
    assert [source.source_index for source in light.sources] == [1, 0]
    assert [source.share for source in light.sources] == pytest.approx([2.4 / 3.02, 0.6 / 3.02])
    assert light.attributes.azimuth_deg == pytest.approx(90.0) and light.sources[1].attributes.azimuth_deg == -75.0
    assert light.attributes.kinds == [light_pb2.LIGHT_KIND_DIRECTIONAL, light_pb2.LIGHT_KIND_AREA]
    assert not light.attributes.HasField("color_temperature_k")
    color = light.sources[0].color
    assert color.red > color.blue > 4 * color.green
    assert light.attributes.contrast_ev == pytest.approx(math.log2(1.0 + 2.0 / 3.0))
    assert light.attributes.intensity_ev == pytest.approx(math.log2(5.0 / math.pi))


def test_sources_beyond_those_of_a_light_are_left_out_of_the_list() -> None:
    lamp = source_attributes(SOURCES["lamp"])
    found = arrived_light([Arrival(index, lamp, 1.0, 1.0) for index in range(20)])
    assert sorted(source.source_index for source in found.sources) == list(range(16))
    assert found.sources[0].share == pytest.approx(0.05)


def test_nothing_arrives_in_the_dark() -> None:
    light = arrived_light([Arrival(0, arrived(SOURCES["lamp"]), 1.0, 0.0)])
    assert light.HasField("attributes") and not light.attributes.ListFields() and not light.sources
