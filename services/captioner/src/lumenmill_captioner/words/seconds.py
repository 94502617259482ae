"""Phrases for lights beside the first: "a weaker, soft, cold blue light from the right", "a much warmer rim light"."""

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.words.shown import Shown, is_from_all_around, seen_hardness
from lumenmill_captioner.words.wording import Words, is_overhead, joined, look, source_noun
from lumenmill_light.color import mired
from lumenmill_light.english import with_article
from lumenmill_light.visible_lights import RIM_DEG, VisibleLight
from lumenmill_light.vocabulary import HARDNESS, TEMPERATURE_K

__all__ = ["located_noun", "second_noun", "second_phrase"]

# Of the first light's share: up to where another is called weaker, and fill where it comes from the camera's side.
_WEAKER, _FILL = 0.7, 0.45
_FILL_WITHIN_DEG = 100.0
_WHITES = {"warm white", "neutral white", "cool white"}
# Differences of colour from which a light is warmer rather than of the same colour, and much warmer.
_OTHER_MIRED, _CLEAR_MIRED, _MUCH_MIRED = 20.0, 45.0, 120.0


def second_phrase(light: VisibleLight, key: VisibleLight, words: Words) -> str:
    """Return a light beside the first as a noun phrase: "a cooler fill light from the right", "a warm rim light …"."""
    strength, noun = _second_noun(light, key)
    phrase = joined(look(strength, _hardness(light, key, words), _color(light, key, words)), noun)
    phrase = joined(phrase, _where(light, words))
    return with_article(phrase) if strength or noun in {"rim light", "fill light"} else phrase


def located_noun(light: VisibleLight, key: VisibleLight, words: Words) -> str:
    """Return a light beside the first without its looks: "weaker light from the right", "daylight"."""
    return joined(*_second_noun(light, key), _where(light, words))


def second_noun(light: VisibleLight, key: VisibleLight) -> str:
    """Return a noun for a light beside the first by its strength and side: "weaker light", "rim light", "daylight"."""
    return joined(*_second_noun(light, key))


def _where(light: VisibleLight, words: Words) -> str:
    """Return where a light comes from; that from all around has no side that is seen beside another light."""
    attributes = light.attributes
    is_background = light_pb2.LIGHT_KIND_BACKGROUND in attributes.kinds[:1]
    if not light.has_direction or is_from_all_around(attributes) or is_background:
        return ""
    return words.where(attributes)


def _second_noun(light: VisibleLight, key: VisibleLight) -> tuple[str, str]:
    """Return a word for the strength, or none, and the noun."""
    attributes = light.attributes
    if not light.has_direction and not light.hue and not attributes.HasField("color_temperature_k"):
        return "", "reflected light"
    noun = source_noun(attributes)
    if noun != "light" or not light.has_direction:
        return "", noun
    strength = "weaker" if light.share < _WEAKER * key.share else "second"
    if is_overhead(attributes.elevation_deg):
        return strength, noun
    azimuth_deg = abs(attributes.azimuth_deg)
    if azimuth_deg > RIM_DEG and not (key.has_direction and abs(key.attributes.azimuth_deg) > RIM_DEG):
        return "", "rim light"
    is_fill = light.share < _FILL * key.share and azimuth_deg < _FILL_WITHIN_DEG
    return ("", "fill light") if is_fill else (strength, noun)


def _hardness(light: VisibleLight, key: VisibleLight, words: Words) -> str:
    """Return an adjective for hardness where it is another than that of the first light."""
    hardness = seen_hardness(light, Shown())
    if hardness is None or HARDNESS.band(hardness) == HARDNESS.band(key.attributes.hardness):
        return ""
    if not light.has_direction or is_from_all_around(light.attributes):
        return "soft" if HARDNESS.band(hardness).name in {"very soft", "soft"} else ""
    return words.hardness(light.attributes)


def _color(light: VisibleLight, key: VisibleLight, words: Words) -> str:
    """Return an adjective for colour: light of a white kind is warmer or cooler than the first, or of its own colour.

    Beside amber light white looks blue, so that no word for white is one that a viewer would choose.
    """
    seen, first = light.attributes, key.attributes
    are_known = seen.HasField("color_temperature_k") and first.HasField("color_temperature_k")
    if not are_known or light.hue or key.hue or TEMPERATURE_K.band(seen.color_temperature_k).name not in _WHITES:
        return words.color(light)
    change = mired(seen.color_temperature_k) - mired(first.color_temperature_k)
    if abs(change) < _OTHER_MIRED:
        return ""  # the colour of the first, which is named
    degree = "slightly " if abs(change) < _CLEAR_MIRED else "much " if abs(change) >= _MUCH_MIRED else ""
    return degree + ("warmer" if change > 0.0 else "cooler")
