"""The guarantees of the grammar: no repetition, even distribution, distinct variants, matching motions."""

import itertools
import math
import re
import time
from collections import Counter
from collections.abc import Iterable

import protovalidate
import pytest

from lumenmill.common.v1 import artifact_pb2, light_pb2, scene_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_light.axes import circular_difference_deg, direction
from lumenmill_light.difference import direction_difference_deg
from lumenmill_prompter.families.grammar import SetWriter, grammar_lights
from lumenmill_prompter.histogram import count_lights, main

MAPS = [
    artifact_pb2.Artifact(uri=f"file:///store/{name}", name=name)
    for name in ("urban_alley_01_1k.hdr", "rainforest_trail_1k.hdr", "studio_small_08_1k.hdr")
]


def test_no_prompt_is_repeated_in_100_000() -> None:
    writer = SetWriter(prompter_pb2.Brief(environment_maps=MAPS), seed=11)
    started_s = time.process_time()
    prompts = {writer.prompt_set(index).image_prompt for index in range(100_000)}
    assert len(prompts) == 100_000
    assert 100_000 / (time.process_time() - started_s) > 2_000  # 16,000 a second on an idle core


@pytest.mark.parametrize("kind", [scene_pb2.SCENE_KIND_PORTRAIT, scene_pb2.SCENE_KIND_OUTDOOR])
def test_no_prompt_is_repeated_in_one_kind_of_scene(kind: "scene_pb2.SceneKind.ValueType") -> None:
    writer = SetWriter(prompter_pb2.Brief(scene_kinds=[kind]), seed=0)
    assert len({writer.prompt_set(index).image_prompt for index in range(20_000)}) == 20_000


def test_a_set_is_determined_by_seed_and_index() -> None:
    brief = prompter_pb2.Brief(num_relight_variants=3, num_video_variants=2, environment_maps=MAPS)
    first, second = SetWriter(brief, seed=5), SetWriter(brief, seed=5)
    assert [first.prompt_set(i) for i in range(40)][30:] == [second.prompt_set(i) for i in range(30, 40)]
    assert SetWriter(brief, seed=6).prompt_set(30) != first.prompt_set(30)


WALLED_KINDS = [scene_pb2.SCENE_KIND_STILL_LIFE, scene_pb2.SCENE_KIND_ROOM, scene_pb2.SCENE_KIND_PORTRAIT]
FRONT_SIDES = ("front", "front left", "front right", "left", "right")
BACK_SIDES = ("back", "back left", "back right")


def _peak_ratio(counter: Counter[str], names: Iterable[str] = ()) -> float:
    values = [counter[name] for name in names or counter]
    return max(values) / min(values)


def _spread(counter: Counter[str]) -> float:
    """Root mean square distance of the cells from their mean, in parts of the mean."""
    mean = counter.total() / len(counter)
    return math.sqrt(sum((value - mean) ** 2 for value in counter.values()) / len(counter)) / mean


def test_own_lights_are_distributed_evenly() -> None:
    counts = count_lights(grammar_lights(prompter_pb2.Brief(environment_maps=MAPS), seed=1, num_sets=20_000))
    # Hills hide the reddest suns, walls hide light from behind and, in rooms, from the left.
    for name, bound in {"kind": 1.02, "colour": 1.45, "hardness": 1.27}.items():
        assert _peak_ratio(counts[name]) < bound, (name, counts[name])
    assert _peak_ratio(counts["direction"], FRONT_SIDES) < 1.15
    assert _peak_ratio(counts["direction"], BACK_SIDES) < 1.1
    assert _peak_ratio(counts["direction"]) < 3.1
    assert len(counts["direction × colour"]) == 64
    for name in ("direction × kind", "direction × colour", "direction × hardness"):
        front = Counter({cell: n for cell, n in counts[name].items() if not cell.startswith("back")})
        assert _spread(front) < 0.15, (name, counts[name])


def test_no_map_of_a_room_or_city_stands_behind_open_land_or_in_windows() -> None:
    shown: dict[str, set[str]] = {}
    for kind in (scene_pb2.SCENE_KIND_OUTDOOR, scene_pb2.SCENE_KIND_ROOM, scene_pb2.SCENE_KIND_PORTRAIT):
        kinds = [light_pb2.LIGHT_KIND_ENVIRONMENT_MAP]
        writer = SetWriter(prompter_pb2.Brief(environment_maps=MAPS, scene_kinds=[kind], light_kinds=kinds), seed=3)
        for index in range(200):
            written = writer.prompt_set(index)
            light = written.light.sources[0].environment_map
            shown.setdefault(written.scene.place, set()).add(light.map.name.partition("_")[0])
    assert shown["in a meadow"] == shown["on a beach"] == {"rainforest"}
    assert shown["in a paved square"] == shown["in a blue room"] == {"rainforest", "urban"}
    assert shown["before a grey backdrop"] == {"rainforest", "urban", "studio"}


def test_a_map_that_is_the_only_one_is_used_everywhere() -> None:
    brief = prompter_pb2.Brief(
        environment_maps=MAPS[:1],
        scene_kinds=[scene_pb2.SCENE_KIND_OUTDOOR],
        light_kinds=[light_pb2.LIGHT_KIND_ENVIRONMENT_MAP],
    )
    assert all(light.sources[0].HasField("environment_map") for light in grammar_lights(brief, seed=1, num_sets=20))


def test_outdoors_light_comes_evenly_from_all_sides() -> None:
    brief = prompter_pb2.Brief(environment_maps=MAPS, scene_kinds=[scene_pb2.SCENE_KIND_OUTDOOR])
    counts = count_lights(grammar_lights(brief, seed=1, num_sets=5_000))
    assert _peak_ratio(counts["direction"]) < 1.05


@pytest.mark.parametrize("kind", WALLED_KINDS)
def test_no_wall_blocks_the_light(kind: "scene_pb2.SceneKind.ValueType") -> None:
    brief = prompter_pb2.Brief(environment_maps=MAPS, scene_kinds=[kind], num_relight_variants=4)
    lights = list(grammar_lights(brief, seed=3, num_sets=800))
    for source in (source for light in lights for source in light.sources):
        if source.HasField("area"):
            # Its centre stands before the wall, which is at least 1.4 radii behind the middle of a still life.
            lamp = source.area
            toward = direction(lamp.azimuth_deg, lamp.elevation_deg)
            assert -lamp.distance_ratio * toward[2] <= (2.9 if kind == scene_pb2.SCENE_KIND_PORTRAIT else 1.3), source
        elif source.HasField("directional"):
            lamp = source.directional
            assert abs(lamp.azimuth_deg) <= 100.1 or lamp.elevation_deg >= 69.9, source
        elif source.HasField("sun_sky"):
            assert abs(source.sun_sky.sun_azimuth_deg) <= 98.1, source
    counts = count_lights(lights)
    assert _peak_ratio(counts["direction"], FRONT_SIDES) < 1.7
    assert 0.1 < sum(counts["direction"][side] for side in BACK_SIDES) / counts["direction"].total() < 0.2


def test_relight_variants_are_distributed_evenly_too() -> None:
    counts = count_lights(
        grammar_lights(prompter_pb2.Brief(num_relight_variants=4, environment_maps=MAPS), seed=2, num_sets=3_000)
    )
    for name, bound in {"kind": 1.8, "colour": 2.1, "hardness": 1.5}.items():
        assert _peak_ratio(counts[name]) < bound, (name, counts[name])
    assert _peak_ratio(counts["direction"], FRONT_SIDES) < 1.2


@pytest.mark.parametrize("maps", [MAPS, []], ids=["maps", "no-maps"])
def test_four_relights_differ_clearly(maps: list[artifact_pb2.Artifact]) -> None:
    writer = SetWriter(prompter_pb2.Brief(num_relight_variants=4, environment_maps=maps), seed=7)
    num_close = 0
    for index in range(1_000):
        prompt_set = writer.prompt_set(index)
        looks = [relight.light.attributes for relight in prompt_set.relight_prompts]
        pairs = itertools.combinations([prompt_set.light.attributes, *looks], 2)
        angles = [angle for pair in pairs if (angle := direction_difference_deg(*pair)) is not None]
        num_close += min(angles) < (18 if prompt_set.scene.kind == scene_pb2.SCENE_KIND_ROOM else 26)
        around = (light_pb2.LIGHT_KIND_ENVIRONMENT_MAP, light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS)
        directed = [look for look in looks if look.kinds[0] not in around]
        assert len(directed) >= 3 and all(look.HasField("azimuth_deg") for look in directed)
        sides = [look.azimuth_deg for look in directed if look.elevation_deg < 72]
        assert max(circular_difference_deg(a, b) for a, b in itertools.combinations(sides, 2)) >= 60
        kelvins = [look.color_temperature_k for look in directed if look.HasField("color_temperature_k")]
        assert min(kelvins) < 4200 and max(kelvins) > 5300
        hardness = [look.hardness for look in looks if look.HasField("hardness")]
        assert min(hardness) < 0.4 and max(hardness) >= 0.75
    assert num_close <= 3


def test_lights_of_one_set_differ_clearly() -> None:
    brief = prompter_pb2.Brief(num_relight_variants=4, light_kinds=[light_pb2.LIGHT_KIND_AREA])
    writer = SetWriter(brief, seed=8)
    num_close = 0
    for index in range(200):
        prompt_set = writer.prompt_set(index)
        lights = [prompt_set.light, *(relight.light for relight in prompt_set.relight_prompts)]
        for a, b in itertools.combinations(lights, 2):
            low = [v for v in (a, b) if v.attributes.elevation_deg < 60]
            if len(low) == 2:
                angle = direction_difference_deg(a.attributes, b.attributes)
                assert angle is not None
                num_close += angle <= (17 if prompt_set.scene.kind == scene_pb2.SCENE_KIND_ROOM else 25)
        assert len({light.text for light in lights}) == 5
        assert len({light.name for light in lights}) == 5
    assert num_close <= 1


def test_every_set_conforms_to_the_contract_and_contains_the_text_of_its_light() -> None:
    brief = prompter_pb2.Brief(num_relight_variants=2, num_video_variants=2, environment_maps=MAPS)
    writer = SetWriter(brief, seed=4)
    for index in range(300):
        prompt_set = writer.prompt_set(index)
        protovalidate.validate(prompt_set)
        assert prompt_set.light.text in prompt_set.image_prompt
        assert prompt_set.scene.description.lower() in prompt_set.image_prompt.lower()
        for relight in prompt_set.relight_prompts:
            assert relight.light.text in relight.text
            assert not relight.HasField("camera")
        for text in (prompt_set.image_prompt, *(motion.text for motion in prompt_set.motion_prompts)):
            assert text[0].isupper() and text.endswith(".") and "  " not in text and "{" not in text
            assert not re.search(r"\b(\w+) \1\b", text.lower()), text


def test_two_motions_are_one_of_the_camera_and_one_of_the_light() -> None:
    writer = SetWriter(prompter_pb2.Brief(num_video_variants=2, environment_maps=MAPS), seed=4)
    for index in range(200):
        prompt_set = writer.prompt_set(index)
        cameras = [motion.HasField("camera") for motion in prompt_set.motion_prompts]
        paths = [motion.light_path for motion in prompt_set.motion_prompts if motion.HasField("light_path")]
        assert sorted(cameras) == [False, True] and len(paths) == 1
        first, last = paths[0].keyframes[0], paths[0].keyframes[-1]
        assert (first.time_fraction, last.time_fraction) == (0.0, 1.0)
        assert first.light == prompt_set.light and last.light.sources != first.light.sources
        if paths[0].interpolation == light_pb2.LIGHT_INTERPOLATION_MOVE:
            kinds = [[source.WhichOneof("kind") for source in frame.light.sources] for frame in (first, last)]
            assert kinds[0] == kinds[1]


def test_a_theme_narrows_the_words() -> None:
    writer = SetWriter(prompter_pb2.Brief(theme="glass vessels and fruit"), seed=0)
    expected = {"vase", "bowl", "bottle", "jug", "goblet", "jar", "urn", "amphora"} | {
        "apple", "pear", "lemon", "orange", "plum", "pomegranate", "pumpkin"
    }  # fmt: skip
    for index in range(50):
        scene = writer.prompt_set(index).scene
        assert expected.intersection(scene.subjects) or any("glass" in material for material in scene.materials)
    with pytest.raises(InvalidArgumentError) as refused:
        SetWriter(prompter_pb2.Brief(theme="submarines"), seed=0)
    assert refused.value.field == "brief.theme"


def test_only_requested_kinds_of_light_are_written() -> None:
    for kind in (light_pb2.LIGHT_KIND_SUN_SKY, light_pb2.LIGHT_KIND_ENVIRONMENT_MAP):
        brief = prompter_pb2.Brief(light_kinds=[kind], environment_maps=MAPS, num_relight_variants=1)
        assert {light.attributes.kinds[0] for light in grammar_lights(brief, 0, 40)} == {kind}
    words_alone = prompter_pb2.Brief(light_kinds=[light_pb2.LIGHT_KIND_TEXT])
    assert all(light.text and not light.sources for light in grammar_lights(words_alone, 0, 20))


def test_landscapes_have_no_area_lights() -> None:
    brief = prompter_pb2.Brief(scene_kinds=[scene_pb2.SCENE_KIND_OUTDOOR])
    kinds = {light.attributes.kinds[0] for light in grammar_lights(brief, 0, 300)}
    assert light_pb2.LIGHT_KIND_AREA not in kinds and light_pb2.LIGHT_KIND_SUN_SKY in kinds


def test_the_histogram_prints(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--num", "500", "--map", "urban_alley_01_1k.hdr"])
    printed = capsys.readouterr().out
    assert "direction × colour" in printed and "environment_map" in printed and "█" in printed
