"""Light as words and numbers."""

import math
import re

import pytest
from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_prompter import lights
from lumenmill_prompter.families.grammar import grammar_lights

MAPS = [artifact_pb2.Artifact(name=name) for name in ("urban_alley_01_1k.hdr", "rainforest_trail_1k.hdr")]


@pytest.fixture(scope="module")
def written() -> list[light_pb2.Light]:
    brief = prompter_pb2.Brief(num_relight_variants=4, environment_maps=MAPS)
    return list(grammar_lights(brief, seed=3, num_sets=1500))


def test_side_words_agree_with_azimuth(written: list[light_pb2.Light]) -> None:
    for light in written:
        main = re.split(r", (?:and|plus) ", light.text)[0]
        if not light.attributes.HasField("azimuth_deg") or "overhead" in main or "directly above" in main:
            continue
        azimuth = light.attributes.azimuth_deg
        where = re.sub(r"(shadows.*? to the (left|right)|towards the camera)", "", main)
        if re.search(r"\b(front |back |behind on the |the )left\b", where):
            assert -160 < azimuth < -20, light.text
        elif re.search(r"\b(front |back |behind on the |the )right\b", where):
            assert 20 < azimuth < 160, light.text


def test_shadows_fall_away_from_the_light(written: list[light_pb2.Light]) -> None:
    sides = [
        (light.attributes.azimuth_deg, match.group(1))
        for light in written
        if (match := re.search(r"shadows to the (left|right)", light.text))
    ]
    assert len(sides) > 500
    assert all(math.sin(math.radians(azimuth)) * (1 if side == "left" else -1) > 0 for azimuth, side in sides)


def test_warm_and_cool_words_agree_with_temperature(written: list[light_pb2.Light]) -> None:
    for light in written:
        main = re.split(r", (?:and|plus) ", light.text)[0]
        if light.attributes.HasField("color_temperature_k"):
            kelvin = light.attributes.color_temperature_k
            if re.search(r"\b(orange|amber|golden|candle|ember|tungsten)", main):
                assert kelvin < 4300, light.text
            if re.search(r"\b(icy|steel-blue|cold blue)", main):
                assert kelvin > 9000, light.text


def test_english_has_no_artefacts(written: list[light_pb2.Light]) -> None:
    for light in written:
        assert not re.search(r"\b(\w+) \1\b", light.text), light.text
        assert not re.search(r"\ba [aeio]", light.text), light.text
        assert not re.search(r"\ban [^aeiou]", light.text), light.text
        assert "  " not in light.text and "{" not in light.text
        assert len(light.text) <= 2000


def test_map_names_become_words_or_stay_names() -> None:
    assert lights.map_words("urban_alley_01_1k.hdr") == "urban alley"
    assert lights.map_words("studio_small_08_1k.hdr") == "small studio"
    assert lights.map_words("0x3f_77.exr") == ""
    source = lights.environment_light(artifact_pb2.Artifact(name="7731.exr"), 0.0, 0.0)
    assert "the environment map 7731.exr" in lights.light_phrase(light_pb2.Light(sources=[source]))


def test_attributes_of_a_key_and_fill() -> None:
    key = lights.area_light(-45, 30, 1, 1, 4, math.pi, lights.kelvin(3200))
    fill = lights.area_light(50, 10, 4, 4, 4, math.pi / 4, lights.kelvin(6500))
    attributes = lights.derive_attributes(light_pb2.Light(sources=[fill, key]))
    assert attributes.azimuth_deg == -45 and attributes.elevation_deg == 30
    assert attributes.color_temperature_k == 3200
    assert attributes.contrast_ev == pytest.approx(math.log2(5))
    assert attributes.intensity_ev == pytest.approx(math.log2(1.25))


def test_harmonics_point_where_they_were_told_to() -> None:
    source = lights.spherical_harmonics_light(130, 25, 0.9, 2.0, lights.rgb_of_temperature(4000))
    attributes = lights.derive_attributes(light_pb2.Light(sources=[source]))
    assert attributes.azimuth_deg == pytest.approx(130, abs=0.01)
    assert attributes.elevation_deg == pytest.approx(25, abs=0.01)
    assert attributes.color_temperature_k == pytest.approx(4000, rel=0.02)
    assert attributes.intensity_ev == pytest.approx(math.log2(2.0 / math.pi), abs=1e-3)


@pytest.mark.parametrize(("low_deg", "high_deg"), [(3, 8), (8, 20), (20, 60)])
def test_a_higher_sun_is_whiter(low_deg: float, high_deg: float) -> None:
    assert lights.sunlight_temperature_k(low_deg, 3.0) < lights.sunlight_temperature_k(high_deg, 3.0) < 5800


def test_a_smaller_source_is_harder() -> None:
    diameters = [0.0, 0.53, 10.0, 20.0, 60.0, 180.0]
    hardness = [lights.hardness_of_angular_diameter(diameter) for diameter in diameters]
    assert hardness == sorted(hardness, reverse=True) and hardness[0] == 1.0 and hardness[3] == 0.5
