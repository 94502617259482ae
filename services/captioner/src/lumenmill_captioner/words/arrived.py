"""Sentences on the light that arrived: what lights the visible surfaces, the largest share first."""

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.words.wording import Words, capitalised, is_overhead, joined, listed, source_noun
from lumenmill_light.visible_lights import VisibleLight, visible_lights
from lumenmill_light.vocabulary import HARDNESS, INTENSITY_EV, with_article

__all__ = ["arrived_text", "located_noun", "second_phrase"]

# Light from further round than this comes from behind.
BEHIND_DEG = 118.0
# Of the first light's share: up to where another is called weaker, and fill where it comes from the camera's side.
_WEAKER, _FILL = 0.7, 0.45
_FILL_WITHIN_DEG = 100.0
_COUNTED = ("rim light", "fill light", "weaker light", "second light")
# A picture shows that light is dim or bright from these stops from mid grey.
_SHOWN_DIM_EV, _SHOWN_BRIGHT_EV = -1.0, 0.7
_NO_LIGHT = ("No light reaches what the picture shows.", "The scene lies in darkness: no light reaches it.")
_REFLECTED = (
    "only reflected light reaches the scene, without a clear direction.",
    "the scene is lit by reflected light alone, without a clear direction.",
)


def arrived_text(
    arrived: light_pb2.ArrivedLight, shown_brightness_ev: float, words: Words, *, one_sentence: bool = False
) -> str:
    """Return one or two sentences on the light that arrived, and on nothing else.

    Args:
        arrived: what arrived.
        shown_brightness_ev: stops of the picture as shown from mid grey; dim and bright are said where they are seen.
        words: the choice of words.
        one_sentence: whether it is to be one sentence.
    """
    lights = visible_lights(arrived)
    if not lights:
        return words.pick(_NO_LIGHT)
    key, others = lights[0], lights[1:]
    level = _level(arrived.attributes, shown_brightness_ev)
    shape = words.pick(("with", "meets") if one_sentence else ("with", "meets", "joins"))
    if len(others) == 1 and shape == "meets" and _are_equal(key, others[0]):
        first, second = (_noun_phrase(key, level, words), _noun_phrase(others[0], "", words))
        return capitalised(f"{first} {words.where(key.attributes)} meets {second} {words.where(others[0].attributes)}.")
    sentence = capitalised(_key_sentence(key, level, words))
    seconds = [second_phrase(light, key, words) for light in others]
    if not seconds:
        return sentence
    if shape == "with" or one_sentence:
        return f"{sentence.rstrip('.')}, with {listed(seconds)}."
    return f"{sentence} {capitalised(listed(seconds))} {'joins' if len(seconds) == 1 else 'join'} it."


def second_phrase(light: VisibleLight, key: VisibleLight, words: Words) -> str:
    """Return a weaker light as a noun phrase: "a cool weaker light from the right", "a warm rim light from behind"."""
    differs = HARDNESS.band(light.attributes.hardness) != HARDNESS.band(key.attributes.hardness)
    adjectives = joined(words.hardness(light.attributes) if differs else "", words.color(light))
    phrase = joined(adjectives, located_noun(light, key, words))
    return with_article(phrase) if _second_noun(light, key).endswith(_COUNTED) else phrase


def located_noun(light: VisibleLight, key: VisibleLight, words: Words) -> str:
    """Return a weaker light without its looks: "weaker light from the right", "daylight from all around"."""
    if light.has_direction:
        return joined(_second_noun(light, key), words.where(light.attributes))
    return joined("reflected light" if _is_reflected(light) else source_noun(light.attributes), "from all around")


def _second_noun(light: VisibleLight, key: VisibleLight) -> str:
    noun, attributes = source_noun(light.attributes), light.attributes
    if noun != "light" or not light.has_direction:
        return noun
    strength = "weaker light" if light.share < _WEAKER * key.share else "second light"
    if is_overhead(attributes.elevation_deg):
        return strength
    azimuth_deg = abs(attributes.azimuth_deg)
    if azimuth_deg > BEHIND_DEG and not (key.has_direction and abs(key.attributes.azimuth_deg) > BEHIND_DEG):
        return "rim light"
    return "fill light" if light.share < _FILL * key.share and azimuth_deg < _FILL_WITHIN_DEG else strength


def _key_sentence(key: VisibleLight, level: str, words: Words) -> str:
    if _is_reflected(key):
        return words.pick(_REFLECTED)
    described = _noun_phrase(key, level, words)
    if not key.has_direction:
        return words.pick((f"{described} falls evenly from all around.", f"{described} comes evenly from all around."))
    where = words.where(key.attributes)
    if source_noun(key.attributes) not in {"light", "sunlight", "daylight"}:
        return words.pick((f"{described} is strongest {where}.", f"{described} fills the scene, strongest {where}."))
    return words.pick(
        (
            f"{described} comes {where}.",
            f"{described} falls in {where}.",
            f"the scene is lit by {described} {where}.",
        )
    )


def _noun_phrase(light: VisibleLight, level: str, words: Words) -> str:
    return joined(level, words.hardness(light.attributes), words.color(light), source_noun(light.attributes))


def _are_equal(key: VisibleLight, light: VisibleLight) -> bool:
    return key.has_direction and light.has_direction and light.share >= _WEAKER * key.share


def _is_reflected(light: VisibleLight) -> bool:
    """Whether nothing of the source arrives directly."""
    attributes = light.attributes
    return not light.has_direction and not light.hue and not attributes.HasField("color_temperature_k")


def _level(attributes: light_pb2.LightAttributes, shown_brightness_ev: float) -> str:
    """Return a word for the intensity of light where the picture, as it is exposed, shows it; else nothing."""
    if not attributes.HasField("intensity_ev"):
        return ""
    word = INTENSITY_EV.word(attributes.intensity_ev)
    is_seen = shown_brightness_ev <= _SHOWN_DIM_EV if "dim" in word else shown_brightness_ev >= _SHOWN_BRIGHT_EV
    return word if is_seen else ""
