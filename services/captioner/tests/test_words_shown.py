"""Captions claim of arrived light what the picture shows of it."""

import re
from dataclasses import replace

import pytest
from scenes import Lamp, sphere_scene

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.measure import measure
from lumenmill_captioner.words import Words
from lumenmill_captioner.words.arrived import arrived_text
from lumenmill_captioner.words.shown import Shown, shown_by
from lumenmill_light.contradictions import contradictions

_BLUE = re.compile(r"\b(blue|bluish)\b")
_NEUTRAL = Shown(yellow_b=0.0)


def light_of(share: float = 1.0, **fields: object) -> light_pb2.ArrivedSource:
    given = {"azimuth_deg": -60.0, "elevation_deg": 30.0, "hardness": 0.5, "color_temperature_k": 12000.0} | fields
    kinds = given.pop("kinds", [light_pb2.LIGHT_KIND_AREA])
    return light_pb2.ArrivedSource(
        attributes=light_pb2.LightAttributes(kinds=kinds, **given), share=share, unoccluded_fraction=1.0
    )


def text_of(shown: Shown, *sources: light_pb2.ArrivedSource) -> str:
    for index, source in enumerate(sources):
        source.source_index = index
    arrived = light_pb2.ArrivedLight(attributes=sources[0].attributes, sources=sources)
    return arrived_text(arrived, shown, Words(3))


def test_blue_light_is_not_claimed_of_a_picture_that_looks_yellow() -> None:
    assert _BLUE.search(text_of(_NEUTRAL, light_of()))
    assert not _BLUE.search(text_of(Shown(yellow_b=0.05), light_of()))
    amber = light_of(color_temperature_k=2500.0)
    assert re.search(r"amber|golden|tungsten", text_of(_NEUTRAL, amber))
    assert not re.search(r"amber|golden|tungsten", text_of(Shown(yellow_b=-0.05), amber))


def test_a_sun_in_a_map_is_no_ambient_light() -> None:
    shown = replace(_NEUTRAL, azimuth_deg=-55.0, elevation_deg=30.0)
    maps = [light_pb2.LIGHT_KIND_ENVIRONMENT_MAP]
    sunny = text_of(shown, light_of(kinds=maps, hardness=0.97))
    assert re.search(r"\b(hard|crisp)\b", sunny, re.IGNORECASE) and "ambient" not in sunny and "left" in sunny
    assert "ambient" in text_of(shown, light_of(kinds=maps, hardness=0.3))


@pytest.mark.parametrize(("is_clipped", "says_dim"), [(False, True), (True, False)])
def test_light_is_not_dim_where_highlights_are_clipped(is_clipped: bool, says_dim: bool) -> None:
    dark = replace(_NEUTRAL, brightness_ev=-2.0, is_clipped=is_clipped)
    assert ("dim" in text_of(dark, light_of(intensity_ev=-2.0)).lower()) == says_dim


@pytest.mark.parametrize(("share", "is_named"), [(0.18, False), (0.24, True)])
def test_a_fill_of_the_same_colour_is_named_where_it_can_be_seen(share: float, is_named: bool) -> None:
    fill = light_of(share, azimuth_deg=50.0, hardness=0.2, color_temperature_k=11500.0)
    assert ("right" in text_of(_NEUTRAL, light_of(1.0 - share), fill)) == is_named


def test_the_sun_of_a_map_comes_from_the_side_where_its_shadows_show_it() -> None:
    sun = light_of(kinds=[light_pb2.LIGHT_KIND_ENVIRONMENT_MAP], hardness=0.97)
    assert "left" in text_of(_NEUTRAL, sun), "without a side that the shading shows"


def test_not_both_words_of_a_light_are_slightly() -> None:
    for seed in range(20):
        cool = light_of(hardness=0.65, color_temperature_k=8000.0)
        arrived = light_pb2.ArrivedLight(attributes=cool.attributes, sources=[cool])
        text = arrived_text(arrived, _NEUTRAL, Words(seed)).lower()
        assert text.count("slightly ") < 2
        assert re.search(r"(fairly|slightly) soft,? (cool white|slightly cool) light", text), text
        assert ("soft, slightly" in text) == ("slightly cool" in text)


@pytest.mark.parametrize(
    ("azimuth_deg", "side"), [(130.0, "right"), (158.0, "right"), (-145.0, "left"), (-168.0, "left"), (180.0, "")]
)
def test_a_background_glows_behind_the_subject_and_is_brightest_on_one_side(azimuth_deg: float, side: str) -> None:
    kinds = [light_pb2.LIGHT_KIND_BACKGROUND]
    panel = light_of(kinds=kinds, azimuth_deg=azimuth_deg, elevation_deg=0.0, hardness=0.2)
    text = text_of(_NEUTRAL, panel)
    assert text.startswith("The background glows behind the subject in ")
    assert text.endswith(f", brightest on the {side}." if side else " light.")
    assert not contradictions(text, light_pb2.ArrivedLight(attributes=panel.attributes, sources=[panel]))


def test_a_side_shows_also_where_it_is_too_uncertain_to_be_stated_as_measured() -> None:
    measured = measure(sphere_scene(Lamp(-30.0, 25.0), even=8.0).evidence())
    assert not measured.proto.attributes.HasField("azimuth_deg")
    around = light_of(kinds=[light_pb2.LIGHT_KIND_ENVIRONMENT_MAP], hardness=0.2, azimuth_deg=-30.0)
    assert "left" in text_of(shown_by(measured), around)
    around.attributes.azimuth_deg = 150.0
    assert "right" not in text_of(shown_by(measured), around)
