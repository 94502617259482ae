"""What changed in the light between two pictures, as an instruction and as a statement.

A change is described from these thresholds, at which it is visible: direction 15°; hardness 0.15; contrast 0.75 stops;
colour 20 mired (about four just-noticeable differences of 5.5 mired); brightness 0.4 stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.words.wording import Words, capitalised, is_overhead, listed, source_noun
from lumenmill_light.axes import circular_difference_deg, wrap_deg
from lumenmill_light.color import mired
from lumenmill_light.difference import direction_difference_deg
from lumenmill_light.vocabulary import side, with_article

__all__ = ["AttributeName", "Change", "Side", "changes_between"]

AttributeName = Literal[
    "azimuth_deg", "elevation_deg", "hardness", "contrast_ev", "color_temperature_k", "intensity_ev"
]

DIRECTION_DEG = 15.0
HARDNESS = 0.15
CONTRAST_EV = 0.75
COLOR_MIRED = 20.0
INTENSITY_EV = 0.4


@dataclass(frozen=True)
class Side:
    """The light of one picture: attributes, names of environment maps, and the hue of coloured light, if known."""

    attributes: light_pb2.LightAttributes
    map_names: tuple[str, ...] = ()
    color_name: str = ""


@dataclass(frozen=True)
class Change:
    """What changed. `attributes` names fields of LightAttributes in their order."""

    instruction: str
    text: str
    attributes: tuple[str, ...]


@dataclass
class _Parts:
    instruction: list[str]
    statement: list[str]
    attributes: list[str]


def changes_between(before: Side, after: Side, words: Words) -> Change:
    """Return what changed; fields that either side lacks are not compared."""
    parts = _Parts([], [], [])
    kinds_changed = bool(before.attributes.kinds and after.attributes.kinds) and (
        before.attributes.kinds[0] != after.attributes.kinds[0] or before.map_names != after.map_names
    )
    if kinds_changed:
        _replaced(before, after, parts)
    _moved(before.attributes, after.attributes, words, parts, kinds_changed)
    _recolored(before, after, words, parts)
    _compare(before.attributes, after.attributes, words, parts)
    if kinds_changed:
        parts.attributes.append("kinds")
    if not parts.attributes:
        return Change("Leave the light as it is.", words.pick(_UNCHANGED), ())
    instruction = capitalised(listed(parts.instruction)) + "."
    statement = capitalised(listed(parts.statement)) + "."
    return Change(instruction, statement, tuple(dict.fromkeys(parts.attributes)))


_UNCHANGED = ("The light has not changed visibly.", "No change of the light can be seen.")


# Nouns for sources that are merely "light", where they replace one of another kind.
_PLAIN_SOURCES = {
    light_pb2.LIGHT_KIND_AREA: "lamp",
    light_pb2.LIGHT_KIND_DIRECTIONAL: "distant light",
}


def _source_phrase(side: Side) -> tuple[str, str]:
    """Return a noun for a source with its indefinite and its definite article."""
    noun = source_noun(side.attributes.kinds, side.map_names)
    if noun == "light":
        noun = _PLAIN_SOURCES.get(side.attributes.kinds[0], "other light")
        return with_article(noun), f"the {noun}"
    return (f"the {noun}" if " of " in noun else noun), f"the {noun}"


def _replaced(before: Side, after: Side, parts: _Parts) -> None:
    _, old = _source_phrase(before)
    new, _ = _source_phrase(after)
    if old.removeprefix("the ") == new.removeprefix("the "):
        new = "light of other surroundings"
    parts.instruction.append(f"replace {old} with {new}")
    parts.statement.append(f"{old} has given way to {new}")


def _moved(
    before: light_pb2.LightAttributes, after: light_pb2.LightAttributes, words: Words, parts: _Parts, replaced: bool
) -> None:
    angle = direction_difference_deg(before, after)
    if angle is None or angle < DIRECTION_DEG:
        return
    turn = circular_difference_deg(after.azimuth_deg, before.azimuth_deg)
    if abs(after.elevation_deg - before.elevation_deg) >= DIRECTION_DEG / 2.0:
        parts.attributes.append("elevation_deg")
    if turn >= DIRECTION_DEG / 2.0:
        parts.attributes.insert(0, "azimuth_deg")
    old, new = words.side(before.azimuth_deg), words.side(after.azimuth_deg)
    same_side = side(before.azimuth_deg) == side(after.azimuth_deg)
    noun = words.pick(("the light", "the main light", "the key light"))
    if replaced:
        parts.instruction.append(f"let it come from {new}")
        parts.statement.append(f"it now comes from {new}")
    elif same_side or is_overhead(max(before.elevation_deg, after.elevation_deg)):
        _raised(before, after, noun, new, parts)
    else:
        parts.instruction.append(f"move {noun} from {old} to {new}")
        parts.statement.append(f"{noun} has moved from {old} to {new}")


def _raised(
    before: light_pb2.LightAttributes, after: light_pb2.LightAttributes, noun: str, new: str, parts: _Parts
) -> None:
    if "elevation_deg" not in parts.attributes:
        way = "right" if wrap_deg(after.azimuth_deg - before.azimuth_deg) > 0.0 else "left"
        parts.instruction.append(f"turn {noun} a little to the {way}")
        parts.statement.append(f"{noun} has turned a little to the {way}")
    elif after.elevation_deg > before.elevation_deg:
        parts.instruction.append(f"raise {noun}")
        parts.statement.append(f"{noun} stands higher")
    else:
        parts.instruction.append(f"lower {noun} to {new}")
        parts.statement.append(f"{noun} stands lower, at {new}")


def _recolored(before: Side, after: Side, words: Words, parts: _Parts) -> None:
    """Describe light that becomes coloured, white or of another colour; changes of temperature have degrees."""
    if before.color_name == after.color_name:
        return
    white = words.temperature(after.attributes.color_temperature_k) if after.attributes.color_temperature_k else "white"
    color = after.color_name or white
    parts.instruction.append(f"make {'its colour' if parts.instruction else 'the colour of the light'} {color}")
    parts.statement.append(f"{'its colour' if parts.statement else 'the colour of the light'} is now {color}")
    parts.attributes.append("color_temperature_k")


def _both(before: light_pb2.LightAttributes, after: light_pb2.LightAttributes, name: AttributeName) -> bool:
    return before.HasField(name) and after.HasField(name)


def _compare(before: light_pb2.LightAttributes, after: light_pb2.LightAttributes, words: Words, parts: _Parts) -> None:
    steps: Sequence[tuple[AttributeName, float, float, str, str, tuple[str, str]]] = (
        ("hardness", HARDNESS, after.hardness - before.hardness, "its shadows", "are", ("harder", "softer")),
        (
            "contrast_ev",
            CONTRAST_EV,
            after.contrast_ev - before.contrast_ev,
            "the contrast",
            "is",
            ("stronger", "weaker"),
        ),
        ("color_temperature_k", COLOR_MIRED, _mired_change(before, after), "its colour", "is", ("warmer", "cooler")),
        ("intensity_ev", INTENSITY_EV, after.intensity_ev - before.intensity_ev, "it", "is", ("brighter", "dimmer")),
    )
    for name, threshold, change, what, verb, comparatives in steps:
        if not _both(before, after, name) or abs(change) < threshold:
            continue
        comparative = comparatives[int(change < 0.0)]
        degree = _degree(name, abs(change), threshold, comparative, words)
        parts.attributes.append(name)
        named = what if parts.instruction else _WITHOUT_ANTECEDENT.get(what, what)
        parts.instruction.append(f"make {named} {degree}")
        parts.statement.append(f"{named} {verb} {degree}")


_WITHOUT_ANTECEDENT = {"it": "the light", "its shadows": "the shadows", "its colour": "the colour of the light"}


def _mired_change(before: light_pb2.LightAttributes, after: light_pb2.LightAttributes) -> float:
    if not _both(before, after, "color_temperature_k"):
        return 0.0
    return mired(after.color_temperature_k) - mired(before.color_temperature_k)


def _degree(name: AttributeName, change: float, threshold: float, comparative: str, words: Words) -> str:
    """Return a comparative with its degree: "slightly warmer", "much softer", "brighter by about two stops"."""
    if name == "intensity_ev" and change >= 0.75:
        stops = round(change)
        amounts = ("about one stop", "about two stops", "about three stops", "four stops or more")
        return f"{comparative} by {amounts[min(stops, 4) - 1]}"
    if change < 2.0 * threshold:
        return f"{words.pick(('a little', 'slightly'))} {comparative}"
    return f"much {comparative}" if change > 5.0 * threshold else comparative
