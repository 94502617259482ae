"""Sentences on the light that arrived: what lights the visible surfaces, the largest share first."""

from dataclasses import replace

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.words.seconds import second_phrase
from lumenmill_captioner.words.shown import (
    Shown,
    is_from_all_around,
    seen_hardness,
    seen_temperature_k,
    shows_color,
    shows_evenness,
    shows_side,
)
from lumenmill_captioner.words.wording import Words, has_hard_sun, joined, look, source_noun
from lumenmill_light.english import capitalised, listed
from lumenmill_light.visible_lights import VisibleLight, visible_lights
from lumenmill_light.vocabulary import FRONT_DEG, HARDNESS, INTENSITY_EV, adjectives

__all__ = ["arrived_text"]

# From this part of the first light's share, another that meets it is no weaker one.
_EQUAL = 0.7
# Two colours are equals up to this ratio of shares: luminance underrates saturated light.
_TWO_COLORS = 1.3
# A picture shows that light is dim or bright from these stops from mid grey.
_SHOWN_DIM_EV, _SHOWN_BRIGHT_EV = -1.0, 0.7
_NO_LIGHT = ("No light reaches what the picture shows.", "The scene lies in darkness: no light reaches it.")
_REFLECTED = (
    "only reflected light reaches the scene, without a clear direction.",
    "the scene is lit by reflected light alone, without a clear direction.",
)


def arrived_text(arrived: light_pb2.ArrivedLight, shown: Shown, words: Words, *, one_sentence: bool = False) -> str:
    """Return one or two sentences on the light that arrived, and on nothing else.

    Args:
        arrived: what arrived.
        shown: what the picture shows of it; the rest is left out.
        words: the choice of words.
        one_sentence: whether it is to be one sentence.
    """
    lights = visible_lights(arrived)
    if not lights:
        return words.pick(_NO_LIGHT)
    key, others = lights[0], lights[1:]
    level = _level(arrived.attributes, shown)
    shape = words.pick(("with", "meets") if one_sentence else ("with", "meets", "joins"))
    if len(others) == 1 and _are_two_colors(key, others[0]):
        first, second = (_located(light, "", shown, words) for light in lights)
        meeting = f"{first} meets {second}."
        return capitalised(meeting) if one_sentence else f"Light of two colours: {first} and {second}."
    if len(others) == 1 and shape == "meets" and _are_equal(key, others[0]):
        first, second = _located(key, level, shown, words), _located(others[0], "", shown, words)
        return capitalised(f"{first} meets {second}.")
    is_even = shows_evenness(key, arrived, shown)
    sentence = capitalised(_key_sentence(key, level, shown if not others else _without_color(shown), words, is_even))
    seconds = [second_phrase(light, key, words) for light in others]
    if not seconds:
        return sentence
    if shape == "with" or one_sentence:
        return f"{sentence.rstrip('.')}, with {listed(seconds)}."
    return f"{sentence} {capitalised(listed(seconds))} {'joins' if len(seconds) == 1 else 'join'} it."


def _without_color(shown: Shown) -> Shown:
    """Return what is shown without the measured temperature, which under several lights is that of a mixture."""
    return replace(shown, color_temperature_k=None)


def _key_sentence(key: VisibleLight, level: str, shown: Shown, words: Words, is_even: bool) -> str:
    if _is_reflected(key):
        return words.pick(_REFLECTED)
    attributes = key.attributes
    if light_pb2.LIGHT_KIND_BACKGROUND in attributes.kinds[:1] and key.has_direction:
        color = adjectives(level, words.color(key))
        return f"the background glows behind the subject in {joined(color, 'light')}{_bright_side(attributes)}."
    described = _noun_phrase(key, level, shown, words, is_even=is_even)
    if is_even:
        return words.pick((f"{described} falls evenly from all around.", f"{described} comes evenly from all around."))
    if not shows_side(key, shown):
        return f"{described} fills the scene."
    where = words.where(attributes)
    if is_from_all_around(attributes):
        return words.pick((f"{described}, strongest {where}.", f"{described} fills the scene, strongest {where}."))
    return words.pick((f"{described} comes {where}.", f"the scene is lit by {described} {where}."))


def _bright_side(attributes: light_pb2.LightAttributes) -> str:
    """Return on which side a background is brightest, for those that are not as bright on both."""
    if 180.0 - abs(attributes.azimuth_deg) <= FRONT_DEG:
        return ""
    return f", brightest on the {'right' if attributes.azimuth_deg > 0.0 else 'left'}"


def _located(light: VisibleLight, level: str, shown: Shown, words: Words) -> str:
    where = words.where(light.attributes) if shows_side(light, shown) else ""
    return joined(_noun_phrase(light, level, _without_color(shown), words), where)


def _noun_phrase(light: VisibleLight, level: str, shown: Shown, words: Words, *, is_even: bool = False) -> str:
    """Return brightness, hardness, colour and kind: "dim, soft, amber light"."""
    color = words.color(light)
    if not light.hue and light.attributes.HasField("color_temperature_k"):
        temperature_k = light.attributes.color_temperature_k
        color = words.temperature(seen_temperature_k(temperature_k, shown))
        color = color if shows_color(temperature_k, shown) else ""
    return joined(look(level, _hardness(light, shown, words, is_even), color), source_noun(light.attributes))


def _hardness(light: VisibleLight, shown: Shown, words: Words, is_even: bool) -> str:
    """Return an adjective for hardness; light from all around is soft, or hard where there is a sun in it."""
    hardness = seen_hardness(light, shown, is_even=is_even)
    if hardness is None:
        return ""
    if has_hard_sun(light.attributes):
        return words.hardness(light.attributes)
    if not light.has_direction or is_from_all_around(light.attributes):
        return "soft" if HARDNESS.band(hardness).name in {"very soft", "soft"} else ""
    return words.hardness(light.attributes)


def _are_equal(key: VisibleLight, light: VisibleLight) -> bool:
    return key.has_direction and light.has_direction and light.share >= _EQUAL * key.share


def _are_two_colors(key: VisibleLight, light: VisibleLight) -> bool:
    return bool(light.hue) and light.hue != key.hue and key.share < _TWO_COLORS * light.share


def _is_reflected(light: VisibleLight) -> bool:
    """Whether nothing of the source arrives directly."""
    attributes = light.attributes
    return not light.has_direction and not light.hue and not attributes.HasField("color_temperature_k")


def _level(attributes: light_pb2.LightAttributes, shown: Shown) -> str:
    """Return a word for the intensity of light where the picture, as it is exposed, shows it; else nothing."""
    if not attributes.HasField("intensity_ev"):
        return ""
    word = INTENSITY_EV.word(attributes.intensity_ev)
    looks_dim = shown.brightness_ev <= _SHOWN_DIM_EV and not shown.is_clipped
    return word if (looks_dim if "dim" in word else shown.brightness_ev >= _SHOWN_BRIGHT_EV) else ""
