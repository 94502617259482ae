"""Light as words and numbers."""

import math
import re

import pytest

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_light import build
from lumenmill_prompter.families.grammar import grammar_lights
from lumenmill_prompter.phrases import light_phrase

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
        beside = re.search(r"slightly (?:to the )?(left|right)", where)
        if beside:
            assert 0 < (azimuth if beside[1] == "right" else -azimuth) < 180, light.text
            assert not 23 < abs(azimuth) < 157, light.text
        elif re.search(r"\b(front |back |behind on the |the )left\b", where):
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


def test_an_unreadable_map_is_called_by_its_name() -> None:
    source = build.environment_light(artifact_pb2.Artifact(name="7731.exr"), 0.0, 0.0)
    assert "the environment map 7731.exr" in light_phrase(light_pb2.Light(sources=[source]))
