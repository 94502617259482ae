"""Captions: what the picture shows, as far as it is known, then its light."""

from lumenmill.common.v1 import light_pb2, scene_pb2
from lumenmill_captioner.measure import Measured
from lumenmill_captioner.words.arrived import arrived_text
from lumenmill_captioner.words.shown import MIN_CLIPPED, shown_by
from lumenmill_captioner.words.wording import Words, joined
from lumenmill_light.color import MAX_WHITE_DUV
from lumenmill_light.english import capitalised, listed, with_article
from lumenmill_light.vocabulary import adjectives, tint_word

__all__ = ["caption_text", "content_text", "light_text", "scene_phrase"]

# Of surfaces as shown, in stops from mid grey; INTENSITY_EV of the vocabulary is about light, another quantity.
_MIN_BRIGHT_EV, _MAX_DARK_EV = 1.0, -1.5
# Below this confidence a direction is said to be that of most of the light.
_CERTAIN_DIRECTION = 0.6
# Scores of mixed light, and of light whose temperature is less certain than that it is warm, white or cool.
_MIX, _CAST = "color_temperature_mix_mired", "color_cast_mired"


def caption_text(content: str, light: str) -> str:
    """Return the whole caption."""
    return joined(content, light)


def content_text(scene: scene_pb2.SceneDescription | None, measured: Measured, is_clip: bool, words: Words) -> str:
    """Return a sentence on what is in the picture.

    Things are named only when they are known; otherwise the dominant colours are named.
    """
    thing = scene_phrase(scene) if scene else ""
    if thing:
        return capitalised(f"a clip of {thing}." if is_clip else f"{thing}.")
    noun = "clip" if is_clip else "picture"
    colors = list(dict.fromkeys(color.name for color in measured.proto.dominant_colors if color.fraction > 0.08))[:3]
    if not colors:
        return f"A {noun} of many colours."
    pattern = words.pick(
        ("A {noun} mostly in {colors}.", "A {noun} dominated by {colors}.", "A {noun} whose main colours are {colors}.")
    )
    if len(colors) == 1:
        pattern = words.pick(("A {noun} mostly in {colors}.", "A {noun} dominated by {colors}."))
    return pattern.format(noun=noun, colors=listed(colors))


def scene_phrase(scene: scene_pb2.SceneDescription) -> str:
    """Return what a scene contains: "an iron urn and an apple on a table"; empty for an empty scene."""
    if scene.description:
        return scene.description.strip().rstrip(".")
    if not scene.subjects:
        return scene.place
    things = []
    for index, subject in enumerate(scene.subjects):
        material = scene.materials[index] if index < len(scene.materials) else ""
        things.append(with_article(f"{material} {subject}" if material not in {"", "natural"} else subject))
    return " ".join(part for part in (listed(list(dict.fromkeys(things))), scene.place) if part)


def light_text(measured: Measured, arrived: light_pb2.ArrivedLight | None, words: Words) -> str:
    """Return up to three sentences on the light; what is not known is left out.

    The light that arrived is stated where it is known, else the light as measured. Brightness and clipping are always
    the measured ones. May be empty.
    """
    if arrived is None:
        return joined(_measured_text(measured, words), _tone_sentence(measured))
    return joined(arrived_text(arrived, shown_by(measured), words), _tone_sentence(measured))


def _measured_text(measured: Measured, words: Words) -> str:
    measurement = measured.proto
    attributes = measurement.attributes
    if not attributes.HasField("azimuth_deg"):
        return _color_sentence(measured, words)
    mostly = "" if measurement.confidences.get("azimuth_deg", 0.0) > _CERTAIN_DIRECTION else "mostly"
    is_mixed = _MIX in measured.scores
    color = "" if is_mixed else _measured_color(attributes, words)
    described = joined(adjectives(words.hardness(attributes), color), "light")
    where = joined(mostly, words.where(attributes))
    sentence = capitalised(words.pick((f"{described} comes {where}.", f"the scene is lit by {described} {where}.")))
    return joined(sentence, _color_sentence(measured, words) if is_mixed else "")


def _measured_color(attributes: light_pb2.LightAttributes, words: Words) -> str:
    known = attributes.HasField("color_temperature_k")
    return words.measured_temperature(attributes.color_temperature_k) if known else ""


def _color_sentence(measured: Measured, words: Words) -> str:
    """Describe the colour of light as far as it is measured: mixed, by its temperature, or warm, white or cool."""
    measurement, scores = measured.proto, measured.scores
    if _MIX in scores:
        return words.pick(("Warm and cool light are mixed.", "The light is a mixture of warm and cool."))
    adjective = _measured_color(measurement.attributes, words)
    if adjective and measurement.spherical_harmonics:
        return f"The light is {adjective}."
    if adjective:
        return words.pick((f"The light is probably {adjective}.", f"Its brighter parts suggest {adjective} light."))
    if _CAST in scores:
        return f"The light is {'white' if scores[_CAST] == 0.0 else 'warm' if scores[_CAST] > 0.0 else 'cool'}."
    is_tinted = measurement.HasField("duv") and abs(measurement.duv) > MAX_WHITE_DUV
    return f"The light looks {tint_word(measurement.duv)}." if is_tinted else ""


def _tone_sentence(measured: Measured) -> str:
    """Describe brightness and clipping of the picture as shown, where they are notable."""
    parts = []
    noun = "clip" if measured.proto.samples else "picture"
    ev = measured.shown_brightness_ev
    if ev >= _MIN_BRIGHT_EV:
        parts.append(f"the {noun} is bright")
    elif ev <= _MAX_DARK_EV:
        parts.append(f"the {noun} is dark")
    if measured.proto.clipped_highlights_fraction >= MIN_CLIPPED:
        parts.append("some highlights are clipped to white")
    return capitalised(listed(parts)) + "." if parts else ""
