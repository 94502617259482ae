"""The prompter finds the content of what the captioner writes, whatever the light, and of its own prompts."""

from lumenmill.common.v1 import light_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_captioner.words import Words, caption_text
from lumenmill_captioner.words.arrived import arrived_text
from lumenmill_captioner.words.shown import Shown
from lumenmill_light.english import capitalised
from lumenmill_prompter.content import content_of
from lumenmill_prompter.families.grammar.sets import SetWriter

from .arrived_lights import random_arrived

_NUM_SETS = 300
_SETS = [SetWriter(prompter_pb2.Brief(), 3).prompt_set(index) for index in range(_NUM_SETS)]


def _shown(light: light_pb2.ArrivedLight, number: int) -> Shown:
    """Pictures of all brightnesses that show where the light comes from."""
    seen = light.attributes
    if not seen.HasField("azimuth_deg"):
        return Shown(shading_contrast_ev=0.5)
    return Shown((0.0, -2.0, 1.5)[number % 3], seen.azimuth_deg, seen.elevation_deg)


def test_a_caption_without_its_light_is_its_content() -> None:
    wrong = {}
    for number, item in enumerate(_SETS):
        content, light = capitalised(f"{item.scene.description}."), random_arrived(number)
        caption = caption_text(content, arrived_text(light, _shown(light, number), Words(number)))
        if content_of(caption) != content:
            wrong[caption] = content_of(caption)
    assert not wrong


def test_a_prompt_without_its_light_is_its_scene() -> None:
    found = {item.image_prompt: content_of(item.image_prompt) for item in _SETS}
    scenes = [item.scene.description.lower() for item in _SETS]
    wrong = {
        prompt: content
        for (prompt, content), scene in zip(found.items(), scenes, strict=True)
        if not content.lower().endswith(f"{scene}.")
    }
    assert not wrong
