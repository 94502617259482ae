"""Captions: what is known to be in the picture, then what its light does."""

from collections.abc import Callable

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2, scene_pb2

from lumenmill_captioner.known import ExpectedLight
from lumenmill_captioner.measure import Measured

from ._vocabulary import Words, capitalised, listed, source_noun, with_article

_CLEARLY_BRIGHT_EV, _CLEARLY_DARK_EV = 1.0, -1.5
_TOLD_CLIPPING = 0.02


def caption_text(content: str, light: str) -> str:
    """Return the whole caption."""
    return f"{content} {light}"


def content_text(scene: scene_pb2.SceneDescription | None, measured: Measured, is_clip: bool, words: Words) -> str:
    """Return a sentence on what is in the picture.

    Things are named only when they are known; otherwise the dominant colours are all that can be said.
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
    """Return what is known to be in a picture: "an iron urn and an apple on a table"; empty where nothing is."""
    if scene.description:
        return scene.description.strip().rstrip(".")
    if not scene.subjects:
        return scene.place
    things = []
    for index, subject in enumerate(scene.subjects):
        material = scene.materials[index] if index < len(scene.materials) else ""
        things.append(with_article(f"{material} {subject}" if material not in {"", "natural"} else subject))
    return " ".join(part for part in (listed(list(dict.fromkeys(things))), scene.place) if part)


def light_text(measured: Measured, known: ExpectedLight | None, words: Words) -> str:
    """Return one to three sentences on the light.

    Known light is told as it is known; measured light as it was measured; what is neither is said to be unknown. The
    brightness of the picture is always the measured one.
    """
    if known and (known.attributes.kinds or known.text):
        sentences = [_known_sentence(known, words)]
    else:
        sentences = _measured_sentences(measured.proto, "clip" if measured.proto.samples else "picture", words)
    tone = _tone_sentence(measured, words)
    return " ".join([*sentences, tone] if tone else sentences)


def _known_sentence(known: ExpectedLight, words: Words) -> str:
    attributes = known.attributes
    if list(attributes.kinds) == [light_pb2.LIGHT_KIND_TEXT] or not attributes.kinds:
        return capitalised(f"the light: {known.text.strip().rstrip('.')}.")
    noun = source_noun(attributes.kinds, known.map_names)
    adjectives = _adjectives(attributes, words, words.temperature) + ([known.color_name] if known.color_name else [])
    if attributes.kinds[0] == light_pb2.LIGHT_KIND_ENVIRONMENT_MAP:
        adjectives = [a for a in adjectives if a not in {"soft", "very soft", "diffuse"}]
    sentence = _where_sentence(adjectives, noun, attributes, words).rstrip(".")
    seconds = [_second_phrase(other, attributes, words) for other in known.others]
    told = [second for second in seconds if second]
    return capitalised(f"{sentence}, with {listed(told)}." if told else f"{sentence}.")


def _second_phrase(other: light_pb2.LightAttributes, key: light_pb2.LightAttributes, words: Words) -> str:
    """A weaker source beside the key: "a cool fill from the right", "a warm rim light from behind"."""
    color = f"{words.temperature(other.color_temperature_k)} " if other.HasField("color_temperature_k") else ""
    if not other.HasField("azimuth_deg"):
        return f"even {color}light besides"
    from_behind = abs(other.azimuth_deg) > 118.0 and abs(key.azimuth_deg) <= 118.0
    noun = "rim light" if from_behind else "weaker light"
    return with_article(f"{color}{noun} from {words.direction(other.azimuth_deg, other.elevation_deg)}")


def _adjectives(attributes: light_pb2.LightAttributes, words: Words, temperature: Callable[[float], str]) -> list[str]:
    found = []
    if attributes.HasField("hardness"):
        found.append(words.hardness(attributes.hardness))
    if attributes.HasField("color_temperature_k"):
        found.append(temperature(attributes.color_temperature_k))
    return found


def _where_sentence(adjectives: list[str], noun: str, attributes: light_pb2.LightAttributes, words: Words) -> str:
    described = f"{' '.join(adjectives)} {noun}".strip()
    if not attributes.HasField("azimuth_deg"):
        return words.pick((f"{described} falls evenly from all around.", f"the scene lies in {described}."))
    where = words.direction(attributes.azimuth_deg, attributes.elevation_deg)
    spread = noun not in {"light", "daylight"}
    if spread:
        return words.pick(
            (f"{described} is strongest from {where}.", f"{described} fills the scene, strongest from {where}.")
        )
    return words.pick(
        (
            f"{described} comes from {where}.",
            f"{described} falls in from {where}.",
            f"the scene is lit by {described} from {where}.",
        )
    )


def _measured_sentences(measurement: captioner_pb2.LightMeasurement, noun: str, words: Words) -> list[str]:
    attributes = measurement.attributes
    from_surfaces = bool(measurement.spherical_harmonics)
    if attributes.HasField("azimuth_deg"):
        mostly = "" if measurement.direction_confidence > 0.6 else "mostly "
        adjectives = _adjectives(attributes, words, words.measured_temperature)
        where = words.direction(attributes.azimuth_deg, attributes.elevation_deg)
        described = f"{' '.join(adjectives)} light".strip()
        return [capitalised(f"{described} comes {mostly}from {where}.")]
    unknown = words.pick(
        (
            f"The direction of the light cannot be told from this {noun}.",
            f"Where the light comes from cannot be told from the {noun} alone.",
        )
    )
    if from_surfaces:
        unknown = words.pick(("The light has no clear direction.", "The light comes evenly from many sides."))
    color = _color_sentence(measurement, from_surfaces, words)
    return [color, unknown] if color else [unknown]


def _color_sentence(measurement: captioner_pb2.LightMeasurement, from_surfaces: bool, words: Words) -> str:
    attributes = measurement.attributes
    if not attributes.HasField("color_temperature_k"):
        if not measurement.HasField("duv"):
            return ""
        return f"The light looks {words.tint(measurement.duv)}."
    adjective = words.measured_temperature(attributes.color_temperature_k)
    if from_surfaces:
        return f"The light is {adjective}."
    return words.pick(
        (
            f"Judged by its brighter parts, the light is probably {adjective}.",
            f"Its brighter parts suggest {adjective} light.",
        )
    )


def _tone_sentence(measured: Measured, words: Words) -> str:
    """Brightness, clipping and contrast of the picture as shown, where they stand out."""
    parts = []
    noun = "clip" if measured.proto.samples else "picture"
    ev = measured.shown_brightness_ev
    if ev >= _CLEARLY_BRIGHT_EV:
        parts.append(words.pick((f"the {noun} is bright", "the exposure is bright")))
    elif ev <= _CLEARLY_DARK_EV:
        parts.append(words.pick((f"the {noun} is dark overall", "the exposure is low")))
    contrast = measured.scores["luminance_contrast_ev"]
    if contrast >= 6.5:
        parts.append(words.pick(("contrast is strong", "tones reach from deep black to bright")))
    elif contrast <= 2.0:
        parts.append(words.pick(("contrast is low", "tones lie close together")))
    if measured.proto.clipped_highlights_fraction >= _TOLD_CLIPPING:
        parts.append("some highlights are clipped to white")
    if measured.proto.clipped_shadows_fraction >= 5.0 * _TOLD_CLIPPING:
        parts.append("deep shadows are lost in black")
    return capitalised(listed(parts)) + "." if parts else ""
