"""Captions: what the picture shows, as far as it is known, then its light."""

from collections.abc import Callable

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2, scene_pb2
from lumenmill_captioner.measure import Measured
from lumenmill_captioner.requested.expected import ExpectedLight
from lumenmill_captioner.words.wording import Words, capitalised, listed, source_noun
from lumenmill_light.vocabulary import HARDNESS, tint_word, with_article

__all__ = ["caption_text", "content_text", "light_text", "scene_phrase"]

# Parts of the area from which clipping is mentioned.
_MIN_CLIPPED, _MIN_CRUSHED = 0.02, 0.1
# Of the picture as shown, in stops from mid grey; INTENSITY_EV of the vocabulary is about light, another quantity.
_MIN_BRIGHT_EV, _MAX_DARK_EV = 1.0, -1.5
# Stops between the 95th and the 5th percentile of a picture's luminance.
_LOW_CONTRAST_EV, _STRONG_CONTRAST_EV = 2.0, 6.5
# Below this confidence a direction is said to be that of most of the light.
_CERTAIN_DIRECTION = 0.6


def caption_text(content: str, light: str) -> str:
    """Return the whole caption."""
    return f"{content} {light}"


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


def light_text(measured: Measured, requested: ExpectedLight | None, words: Words) -> str:
    """Return one to three sentences on the light.

    A requested light is described as requested, else the light as measured. What is neither is said to be unknown. The
    brightness of the picture is always the measured one.
    """
    if requested and (requested.attributes.kinds or requested.text):
        sentences = [_requested_sentence(requested, words)]
    else:
        sentences = _measured_sentences(measured.proto, "clip" if measured.proto.samples else "picture", words)
    tone = _tone_sentence(measured, words)
    return " ".join([*sentences, tone] if tone else sentences)


def _requested_sentence(requested: ExpectedLight, words: Words) -> str:
    attributes = requested.attributes
    if list(attributes.kinds) == [light_pb2.LIGHT_KIND_TEXT] or not attributes.kinds:
        return capitalised(f"the light: {requested.text.strip().rstrip('.')}.")
    noun = source_noun(attributes.kinds, requested.map_names)
    hardness = "" if _is_soft_map(attributes) else _hardness(attributes, words)
    color = requested.color_name or _color(attributes, words.temperature)
    sentence = _where_sentence(_joined(hardness, color, noun), noun, attributes, words).rstrip(".")
    others = [_second_phrase(other, attributes, words) for other in requested.others]
    return capitalised(f"{sentence}, with {listed(others)}." if others else f"{sentence}.")


def _second_phrase(other: light_pb2.LightAttributes, key: light_pb2.LightAttributes, words: Words) -> str:
    """Describe a weaker source: "a cool weaker light from the right", "a warm rim light from behind"."""
    color = _color(other, words.temperature)
    if not other.HasField("azimuth_deg"):
        return _joined("even", color, "light besides")
    from_behind = abs(other.azimuth_deg) > 118.0 and abs(key.azimuth_deg) <= 118.0
    noun = "rim light" if from_behind else "weaker light"
    return with_article(_joined(color, noun, words.direction(other.azimuth_deg, other.elevation_deg)))


def _is_soft_map(attributes: light_pb2.LightAttributes) -> bool:
    """Return whether the light comes from all of an environment, whose softness is not mentioned."""
    is_map = attributes.kinds[0] == light_pb2.LIGHT_KIND_ENVIRONMENT_MAP
    return is_map and HARDNESS.band(attributes.hardness).name in {"very soft", "soft"}


def _hardness(attributes: light_pb2.LightAttributes, words: Words) -> str:
    return words.hardness(attributes.hardness) if attributes.HasField("hardness") else ""


def _color(attributes: light_pb2.LightAttributes, temperature: Callable[[float], str]) -> str:
    return temperature(attributes.color_temperature_k) if attributes.HasField("color_temperature_k") else ""


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)


def _where_sentence(described: str, noun: str, attributes: light_pb2.LightAttributes, words: Words) -> str:
    if not attributes.HasField("azimuth_deg"):
        return words.pick((f"{described} falls evenly from all around.", f"the scene lies in {described}."))
    where = words.direction(attributes.azimuth_deg, attributes.elevation_deg)
    if noun not in {"light", "daylight"}:
        return words.pick((f"{described} is strongest {where}.", f"{described} fills the scene, strongest {where}."))
    return words.pick(
        (
            f"{described} comes {where}.",
            f"{described} falls in {where}.",
            f"the scene is lit by {described} {where}.",
        )
    )


def _measured_sentences(measurement: captioner_pb2.LightMeasurement, noun: str, words: Words) -> list[str]:
    attributes = measurement.attributes
    from_surfaces = bool(measurement.spherical_harmonics)
    if attributes.HasField("azimuth_deg"):
        mostly = "" if measurement.direction_confidence > _CERTAIN_DIRECTION else "mostly"
        where = words.direction(attributes.azimuth_deg, attributes.elevation_deg)
        described = _joined(_hardness(attributes, words), _color(attributes, words.measured_temperature), "light")
        return [capitalised(_joined(described, "comes", mostly, where)) + "."]
    unknown = words.pick(
        (
            f"The direction of the light cannot be determined from this {noun}.",
            f"Where the light comes from cannot be determined from the {noun} alone.",
        )
    )
    if from_surfaces:
        unknown = words.pick(("The light has no clear direction.", "The light comes evenly from many sides."))
    color = _color_sentence(measurement, from_surfaces, words)
    return [color, unknown] if color else [unknown]


def _color_sentence(measurement: captioner_pb2.LightMeasurement, from_surfaces: bool, words: Words) -> str:
    adjective = _color(measurement.attributes, words.measured_temperature)
    if not adjective:
        return f"The light looks {tint_word(measurement.duv)}." if measurement.HasField("duv") else ""
    if from_surfaces:
        return f"The light is {adjective}."
    return words.pick(
        (
            f"Judged by its brighter parts, the light is probably {adjective}.",
            f"Its brighter parts suggest {adjective} light.",
        )
    )


def _tone_sentence(measured: Measured, words: Words) -> str:
    """Describe brightness, clipping and contrast of the picture as shown, where they are notable."""
    parts = []
    noun = "clip" if measured.proto.samples else "picture"
    ev = measured.shown_brightness_ev
    if ev >= _MIN_BRIGHT_EV:
        parts.append(words.pick((f"the {noun} is bright", "the exposure is bright")))
    elif ev <= _MAX_DARK_EV:
        parts.append(words.pick((f"the {noun} is dark overall", "the exposure is low")))
    contrast = measured.scores["luminance_contrast_ev"]
    if contrast >= _STRONG_CONTRAST_EV:
        parts.append(words.pick(("contrast is strong", "tones reach from deep black to bright")))
    elif contrast <= _LOW_CONTRAST_EV:
        parts.append(words.pick(("contrast is low", "tones lie close together")))
    if measured.proto.clipped_highlights_fraction >= _MIN_CLIPPED:
        parts.append("some highlights are clipped to white")
    if measured.proto.clipped_shadows_fraction >= _MIN_CRUSHED:
        parts.append("deep shadows are lost in black")
    return capitalised(listed(parts)) + "." if parts else ""
