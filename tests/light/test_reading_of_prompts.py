"""What the prompter writes of a light is read back as that light, in all its wordings."""

from lumenmill.common.v1 import light_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_light.contradictions import contradictions
from lumenmill_light.reading import read_light
from lumenmill_prompter.families.grammar import grammar_lights

from .arrived_lights import arrived_of

NUM_LIGHTS = 600


def test_the_texts_of_prompted_lights_are_read_as_these_lights() -> None:
    lights = [light for light in grammar_lights(prompter_pb2.Brief(), 0, NUM_LIGHTS) if light.sources]
    wrong = {light.text: found for light in lights if (found := contradictions(light.text, arrived_of(light.sources)))}
    assert not wrong
    assert all(read_light(light.text).lights for light in lights)


def test_the_text_of_another_light_contradicts() -> None:
    lights = list(grammar_lights(prompter_pb2.Brief(), 1, NUM_LIGHTS))
    others = [*lights[1:], lights[0]]
    found = [contradictions(other.text, arrived_of(light.sources)) for light, other in zip(lights, others, strict=True)]
    assert sum(map(bool, found)) > 0.93 * NUM_LIGHTS


def test_an_arrived_light_without_sources_is_dark() -> None:
    assert contradictions("Warm light from the left.", light_pb2.ArrivedLight())
