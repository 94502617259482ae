"""Handling of answers, of a real model whose tokens are forced."""

import json
import re
from typing import Any

import pytest
from scenes import Lamp, arrived_light, sphere_scene, subject_of

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import scene_pb2
from lumenmill_captioner.families.vision_language.answer import Answer, ClipAnswer, read_answer
from lumenmill_captioner.families.vision_language.prompt import question

from .conftest import clip_subject

MODEL = "Qwen2.5-VL-7B"
LIGHT = {
    "description": "Hard warm sunlight slants in from a window on the left",
    "direction": "left",
    "hardness": "unknown",
    "color": "warm",
    "contrast": "unknown",
    "sources": ["window", "sun"],
}


def answer(caption: str = "A plaster ball on a shelf", **light: Any) -> str:
    return json.dumps({"caption": caption, "light": LIGHT | light})


def subject(store: Any, *requested: Lamp) -> captioner_pb2.Subject:
    """A sphere that is lit from the front left by warm light, with the maps to measure it."""
    return subject_of(store, sphere_scene(Lamp(-60, 30, 3400), even=0.02, side_px=96), *requested)


async def test_a_description_that_agrees_with_measurement_is_used(serving: Any) -> None:
    async with serving(MODEL, answer()) as captioner:
        result = await captioner.caption("one", subject(captioner.store))
    assert result.light_text == "Hard warm sunlight slants in from a window on the left."
    assert result.text == f"A plaster ball on a shelf. {result.light_text}"
    assert result.scores["light_direction_agrees"] == result.scores["light_color_agrees"] == 1.0
    assert result.scores["light_agreement"] == result.scores["answer_kept_fraction"] == 1.0
    assert "light_hardness_agrees" not in result.scores
    assert result.measurement.attributes.azimuth_deg == pytest.approx(-60, abs=6)
    assert result.record.parameters["light_sources"] == "window, sun"
    assert list(result.record.parameters["answers"]) == [answer()]


@pytest.mark.parametrize(
    ("light", "attribute"),
    [
        ({"direction": "right", "description": "Light from the right"}, "direction"),
        ({"description": "Light falls in from the right"}, "direction"),
        ({"description": "Warm light illuminates the right side of the ball"}, "direction"),
        ({"description": "A lamp throws the shadow of the ball to the left"}, "direction"),
        ({"direction": "all around"}, "direction"),
        ({"color": "very cool"}, "color"),
        ({"contrast": "low"}, "contrast"),
    ],
)
async def test_the_measured_light_is_described_where_the_model_contradicts_it(
    serving: Any, light: dict[str, str], attribute: str
) -> None:
    async with serving(MODEL, answer(**light)) as captioner:
        result = await captioner.caption("one", subject(captioner.store))
    assert result.scores[f"light_{attribute}_agrees"] == 0.0 and result.scores["light_agreement"] < 1.0
    assert re.search(r"\bleft\b", result.light_text) and "window" not in result.light_text
    assert result.text == f"A plaster ball on a shelf. {result.light_text}"


async def test_a_side_that_light_does_not_come_from_is_no_contradiction(serving: Any) -> None:
    text = "Warm light throws the shadow to the right, beside the box on the right"
    async with serving(MODEL, answer(description=text)) as captioner:
        result = await captioner.caption("one", subject(captioner.store))
    assert result.light_text == f"{text}." and result.scores["light_direction_agrees"] == 1.0


async def test_a_requested_light_is_only_compared(serving: Any) -> None:
    lamp = Lamp(60, 30, 9000)
    async with serving(MODEL, answer()) as captioner:
        result = await captioner.caption("one", subject(captioner.store, lamp))
    assert result.light_text == "Hard warm sunlight slants in from a window on the left."
    assert result.error.direction_deg > 60.0 and result.scores["light_direction_agrees"] == 1.0


@pytest.mark.parametrize(
    "description", ["Hard warm sunlight slants in from a window on the right", "Soft cool light from the left"]
)
async def test_a_text_that_contradicts_the_arrived_light_is_replaced(serving: Any, description: str) -> None:
    async with serving(MODEL, answer(), answer(description=description)) as captioner:
        asked = subject(captioner.store)
        asked.arrived_light.CopyFrom(arrived_light(Lamp(-60, 30, 3400)))
        true = await captioner.caption("true", asked)
        lie = await captioner.caption("lie", asked, seed=1)
    assert true.light_text == "Hard warm sunlight slants in from a window on the left."
    assert "window" not in lie.light_text and "left" in lie.light_text
    assert not true.contradictions and not lie.contradictions


async def test_an_invalid_answer_is_requested_again(serving: Any) -> None:
    async with serving(MODEL, answer(direction="sideways"), f"```json\n{answer()}\n```") as captioner:
        result = await captioner.caption("one", subject(captioner.store))
    assert len(result.record.parameters["answers"]) == 2 and result.scores["answer_kept_fraction"] == 1.0
    assert result.light_text.startswith("Hard warm sunlight")


async def test_valid_fields_of_two_invalid_answers_are_kept(serving: Any) -> None:
    cut = answer()[: answer().index('"color"')]
    async with serving(MODEL, "I see a ball.", cut) as captioner:
        result = await captioner.caption("one", subject(captioner.store))
    assert result.text.startswith("A plaster ball on a shelf. ") and "light_color_agrees" not in result.scores
    assert result.scores["light_direction_agrees"] == 1.0
    assert result.scores["answer_kept_fraction"] == pytest.approx(4 / 7)


async def test_without_an_answer_the_caption_is_the_measured_one(serving: Any) -> None:
    async with serving(MODEL, "no", '{"light": 3}') as captioner:
        asked = subject(captioner.store)
        asked.built_scene.CopyFrom(scene_pb2.SceneDescription(description="a plaster ball"))
        result = await captioner.caption("one", asked)
    assert result.text.startswith("A plaster ball. ") and result.text.endswith(result.light_text)
    assert "left" in result.light_text and result.scores["answer_kept_fraction"] == 0.0


async def test_the_motion_of_light_is_compared_in_clips(serving: Any) -> None:
    texts = [answer(motion="changes", direction="unknown"), answer(motion="still", direction="unknown")]
    async with serving(MODEL, *texts) as captioner:
        clip = clip_subject(captioner.store, 24)
        changing = await captioner.caption("changing", clip)
        still = await captioner.caption("still", clip, seed=1)
    assert len(changing.measurement.samples) == 8 and changing.scores["light_motion_ev"] > 0.5
    assert (changing.scores["light_motion_agrees"], still.scores["light_motion_agrees"]) == (1.0, 0.0)
    assert "window" not in still.light_text


@pytest.mark.parametrize(
    ("text", "num_kept"),
    [
        (answer(direction="Front_Left", color="WARM"), 7),
        (f"Here it is: {{not this}} {answer()} I hope it helps.", 7),
        (answer().replace("window", "win\\ud800dow").replace("shelf", "sh\nelf"), 7),
        (answer(sources="window"), 6),
        (answer(caption=""), 6),
        ('{"caption": "a ball", "light": ' + "[" * 20_000, 0),
        ('{"caption": "a ball"', 1),
        ("{" * 5000, 0),
        ("[1, 2]", 0),
        ("", 0),
    ],
)
def test_valid_fields_of_an_answer_are_kept(text: str, num_kept: int) -> None:
    parsed = read_answer(text, Answer)
    assert parsed.kept_fraction == pytest.approx(num_kept / 7)
    assert bool(parsed.problems) == (num_kept < 7)
    json.dumps([parsed.caption, parsed.light], ensure_ascii=False).encode()  # can be stored


def test_the_instruction_replaces_the_task() -> None:
    plain = question(captioner_pb2.CaptionRequest(), "a bowl", "Soft light falls in.", 0, Answer)
    asked = question(captioner_pb2.CaptionRequest(instruction="Tell a story."), "", "", 8, ClipAnswer)
    assert plain.startswith("Describe this picture.") and "It shows this: a bowl" in plain
    assert "Its light is known, as seen from the camera: Soft light falls in." in plain and "is known" not in asked
    assert "The 8 pictures are frames" in asked and "Tell a story." in asked and "Describe" not in asked
    assert '"motion"' in asked and '"motion"' not in plain and '"all around"' in plain
