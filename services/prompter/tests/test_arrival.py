"""Lights that can be seen: keys are strongest, brightness stays visible, gels are not alone, outdoors has a sky."""

import math
import re
from collections.abc import Iterator

import numpy as np
import pytest

from lumenmill.common.v1 import artifact_pb2, light_pb2, scene_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_light import build
from lumenmill_light.attributes import attributes
from lumenmill_light.axes import Vector, unit_vector
from lumenmill_light.color import LUMINANCE, emitter_rgb, temperature_of_white
from lumenmill_light.irradiance import irradiance_of_source
from lumenmill_light.spherical_harmonics import sphere_directions
from lumenmill_light.sun_sky import daylight
from lumenmill_prompter.families.grammar import SetWriter
from lumenmill_prompter.families.openai_compatible.structure import Allowed, AnswerError, light_from
from lumenmill_prompter.levels import camera_side_irradiance, smooth_share
from lumenmill_prompter.phrases import light_phrase

MAPS = [artifact_pb2.Artifact(name="urban_alley_01_1k.hdr")]
OUTDOOR, ROOM = scene_pb2.SCENE_KIND_OUTDOOR, scene_pb2.SCENE_KIND_ROOM
_TOWARD_CAMERA, _UP = unit_vector(0.0, 0.0), unit_vector(0.0, 90.0)


@pytest.fixture(scope="module")
def sets() -> list[prompter_pb2.PromptSet]:
    writer = SetWriter(prompter_pb2.Brief(num_relight_variants=4, environment_maps=MAPS), seed=12)
    return [writer.prompt_set(index) for index in range(100)]


def _lights(sets: list[prompter_pb2.PromptSet]) -> Iterator[light_pb2.Light]:
    for prompt_set in sets:
        yield prompt_set.light
        yield from (relight.light for relight in prompt_set.relight_prompts)


def _seen(source: light_pb2.LightSource) -> float | None:
    """Return the mean irradiance of the picture of a white ball and of the ground, by sampling."""
    lit = irradiance_of_source(source, np.concatenate([_ball_normals(), _UP[None]]))
    if lit is None:
        return None
    levels = lit @ LUMINANCE
    weights = _ball_normals() @ _TOWARD_CAMERA
    return 0.5 * float(np.average(levels[:-1], weights=weights) + levels[-1])


def _ball_normals() -> Vector:
    normals = sphere_directions(800)
    return normals[normals @ _TOWARD_CAMERA > 0.0]


def test_the_key_is_the_strongest_source_on_the_cameras_side(sets: list[prompter_pb2.PromptSet]) -> None:
    num_rigs = 0
    for light in _lights(sets):
        key, *others = [_seen(source) for source in light.sources]
        for other in others:
            assert key is not None and other is not None and key >= 1.5 * other, light
        assert light.attributes.kinds[0] == attributes(light_pb2.Light(sources=light.sources[:1])).kinds[0]
        num_rigs += bool(others)
    assert num_rigs > 100


def test_camera_side_irradiance_is_that_of_a_sampled_ball(sets: list[prompter_pb2.PromptSet]) -> None:
    for source in (source for light in _lights(sets[:20]) for source in light.sources):
        if source.HasField("area") or source.HasField("environment_map"):
            continue
        if source.HasField("directional") and source.directional.angular_diameter_deg > 30.0:
            continue  # wide light reaches round a ball, which the closed form leaves out
        assert camera_side_irradiance(source) == pytest.approx(_seen(source), rel=0.12), source
    smooth = build.spherical_harmonics_light(70.0, 35.0, 0.8, 2.0, (0.9, 1.0, 0.4))
    assert 2.0 * smooth_share(70.0, 35.0, 0.8) == pytest.approx(camera_side_irradiance(smooth), rel=1e-4)


def test_variants_stay_within_what_one_exposure_shows(sets: list[prompter_pb2.PromptSet]) -> None:
    changes = []
    for prompt_set in sets:
        own = [camera_side_irradiance(source) for source in prompt_set.light.sources]
        for relight in prompt_set.relight_prompts:
            levels = [camera_side_irradiance(source) for source in relight.light.sources]
            if None in own or None in levels:
                assert "than before" not in relight.text
                continue
            change_ev = math.log2(sum(filter(None, levels)) / sum(filter(None, own)))
            # Lamps near a room's subject are stronger there than in the rest of the picture.
            changes += [] if prompt_set.scene.kind == ROOM else [change_ev]
            if "brighter than before" in relight.text:
                assert change_ev > 0.8, relight.text
            elif "dimmer than before" in relight.text:
                assert change_ev < -0.8, relight.text
        assert "than before" not in prompt_set.image_prompt
    assert -2.6 < min(changes) < -1.5 and 1.0 < max(changes) < 2.1


def test_no_light_is_too_dim_or_under_the_ground(sets: list[prompter_pb2.PromptSet]) -> None:
    for light in _lights(sets):
        assert not re.search(r"\b(?:dim|bright|very)\b (?!soft|large|high)", light.text), light.text
        if light.attributes.HasField("intensity_ev"):
            assert -4.0 < light.attributes.intensity_ev < 4.6, light
        for source in light.sources:
            if source.HasField("area"):
                lamp = source.area
                center = lamp.distance_ratio * math.sin(math.radians(lamp.elevation_deg))
                half = 0.5 * lamp.height_ratio * math.cos(math.radians(lamp.elevation_deg))
                assert center > 0.0 and center - half > -0.75, light.text
            elif source.HasField("directional"):
                assert source.directional.elevation_deg > 0.0


def test_outdoors_always_has_a_sky(sets: list[prompter_pb2.PromptSet]) -> None:
    num_lamps = 0
    for prompt_set in (prompt_set for prompt_set in sets if prompt_set.scene.kind == OUTDOOR):
        for light in _lights([prompt_set]):
            skies = [source for source in light.sources if not source.HasField("directional")]
            levels = [_seen(source) for source in skies if not source.HasField("environment_map")]
            assert skies and all(level is not None and level > 0.05 for level in levels), light
            num_lamps += light.sources[0].HasField("directional")
            if light.sources[0].HasField("directional"):
                assert re.search(r"\bsky\b", light.text), light.text
    assert num_lamps > 20


def test_gels_and_coloured_surroundings_do_not_flood_the_picture() -> None:
    kinds = [light_pb2.LIGHT_KIND_AREA, light_pb2.LIGHT_KIND_DIRECTIONAL, light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS]
    writer = SetWriter(prompter_pb2.Brief(num_relight_variants=4, light_kinds=kinds), seed=2)
    num_gels = 0
    for light in _lights([writer.prompt_set(index) for index in range(60)]):
        first = light.sources[0]
        if first.HasField("spherical_harmonics"):
            rgb = [first.spherical_harmonics.coefficients[9 * channel] for channel in range(3)]
            assert temperature_of_white(rgb) is not None or min(rgb) >= 0.4 * max(rgb), light.text
            continue
        lamp = first.area if first.HasField("area") else first.directional
        if temperature_of_white(emitter_rgb(lamp.color)) is None:
            num_gels += 1
            levels = [_seen(source) or 0.0 for source in light.sources]
            assert sum(levels[1:]) >= 0.24 * sum(levels), light.text
    assert num_gels > 20


def test_a_low_sun_is_as_warm_as_its_words() -> None:
    """A sun at 2° is deep orange, one at 5° amber; both were 1000 K warmer than they are rendered."""
    for elevation_deg, kelvin in ((2.0, 2200.0), (5.0, 2750.0), (10.0, 3500.0)):
        light = build.sun_sky_light(30.0, elevation_deg, 3.0, 1.0, 0.1, 0.53)
        assert daylight(light.sun_sky).temperature_k == pytest.approx(kelvin, rel=0.06)
    brief = prompter_pb2.Brief(light_kinds=[light_pb2.LIGHT_KIND_SUN_SKY], num_relight_variants=3)
    writer = SetWriter(brief, seed=5)
    for light in _lights([writer.prompt_set(index) for index in range(60)]):
        rendered = daylight(light.sources[0].sun_sky)
        assert light.attributes.color_temperature_k == pytest.approx(rendered.temperature_k or 0.0, rel=1e-3)


def test_the_temperature_is_that_of_the_key_alone() -> None:
    """A magenta key with a bluish fill has no temperature; it was the fill's, 8616 K."""
    key = build.area_light(-40.0, 30.0, 1.0, 1.0, 4.0, 3.0, build.rgb((1.0, 0.08, 0.55)))
    fill = build.area_light(50.0, 15.0, 3.0, 3.0, 4.0, 0.6, build.kelvin(8616.0))
    for sources in ([key, fill], [fill, key]):
        found = attributes(light_pb2.Light(sources=sources))
        assert not found.HasField("color_temperature_k") and found.azimuth_deg == pytest.approx(-40.0)


ALLOWED = Allowed(frozenset({"area", "directional", "sun_sky"}), {})


def _answer(*sources: dict[str, object]) -> dict[str, object]:
    empty = dict.fromkeys(("size_deg", "color_temperature_k", "color_rgb", "map", "rotation_deg", "turbidity"))
    return {"text": "a lamp", "sources": [{**empty, "type": "directional", **source} for source in sources]}


def test_a_written_light_under_the_ground_or_with_a_stronger_fill_is_refused() -> None:
    with pytest.raises(AnswerError, match="elevation_deg -40 stands under the ground"):
        light_from(_answer({"azimuth_deg": 20, "elevation_deg": -40, "strength": 1}), ALLOWED, "light")
    behind = {"azimuth_deg": 175, "elevation_deg": 20, "strength": 1}
    with pytest.raises(AnswerError, match=r"source 2 is 1.* times as strong as the first"):
        light_from(_answer(behind, {"azimuth_deg": 20, "elevation_deg": 20, "strength": 0.5}), ALLOWED, "light")


def test_a_written_lamp_outdoors_gets_a_sky() -> None:
    lamp = _answer({"azimuth_deg": 20, "elevation_deg": 40, "strength": 1})
    light = light_from(lamp, ALLOWED, "light", outdoor=True)
    assert [source.WhichOneof("kind") for source in light.sources] == ["directional", "sun_sky"]
    assert light.attributes.azimuth_deg == pytest.approx(20.0)
    assert len(light_from(lamp, ALLOWED, "light").sources) == 1
    day = _answer({"type": "sun_sky", "azimuth_deg": 20, "elevation_deg": 40, "strength": 1})
    assert len(light_from(day, ALLOWED, "light", outdoor=True).sources) == 1


def test_a_room_says_what_stands_on_what_and_names_of_maps_take_no_article() -> None:
    writer = SetWriter(prompter_pb2.Brief(scene_kinds=[scene_pb2.SCENE_KIND_ROOM]), seed=1)
    num_borne = 0
    for scene in (writer.prompt_set(index).scene for index in range(300)):
        if scene.subjects[0] in {"table", "plinth", "stool"} and scene.subjects[1] in {"vase", "bowl", "urn", "bust"}:
            num_borne += 1
            assert re.search(r"\bon (?:it|an?)\b", scene.description), scene.description
            assert not re.search("next to|beside", scene.description), scene.description
        assert not re.search(r"\bwith .*, and ", scene.description), scene.description
    assert num_borne > 20
    for name, words in {
        "metro_noord_1k.hdr": 'map "metro noord"',
        "urban_alley_01_1k.hdr": "of an urban alley",
    }.items():
        source = build.environment_light(artifact_pb2.Artifact(name=name), 0.0, 0.0)
        assert words in light_phrase(light_pb2.Light(sources=[source]))
