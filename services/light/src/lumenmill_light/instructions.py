"""Applies an instruction about light to the light that it starts from: what the words ask for, in numbers.

The words of an instruction are targets ("from the left to the right", "hard", "amber") or steps ("a little warmer",
"brighter by about two stops"). What they say of weaker lights does not change the main light; it adds, removes or moves
those lights.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from lumenmill.common.v1 import light_pb2
from lumenmill_light.axes import unit_vector, wrap_deg
from lumenmill_light.color import MAX_TEMPERATURE_K, MIN_TEMPERATURE_K, mired
from lumenmill_light.difference import direction_difference_deg
from lumenmill_light.reading_features import POSITION, colors_of, direction_of, hardness_of, position_of
from lumenmill_light.reading_words import Arc, Range

__all__ = ["InstructedLight", "instructed_light", "light_distance_deg"]

_LEVEL_DEG, _TILTED_DEG = 27.0, 77.0
_VERBS = (
    "move|make|let|turn|tilt|raise|lower|add|remove|replace|give|change|set|dim|brighten|keep|leave|swing|bring|put"
)
_CLAUSE = re.compile(rf"(?:^|[,;.]|\b(?:and|then)\b)+\s*(?:and |then )*(?=(?:{_VERBS})\b)")
_OTHER_LIGHT = re.compile(r"\b(?:weaker|fill|rim|second|other)\b|^(?:add|remove|keep|leave)\b")
_TO = re.compile(rf"\b(?:to|come|comes) (?:from )?({POSITION})")
_TILT = re.compile(rf"\btilt\b.*?\btowards ({POSITION})")
_EVENLY = re.compile(r"\bcome (?:evenly )?from all around\b")
_DEGREES = re.compile(r"\b(?:by )?(?:about )?(\d+) degrees\b")
_TURN = re.compile(r"\bturn\b.*?\b(?:to(?:wards)? the (left|right|front|back))\b")
_STEP = re.compile(
    r"\b(a little |slightly |a bit |somewhat |much |far |clearly )?(warmer|cooler|colder|harder|softer)\b"
)
_STEP_SIZES = {"": 1.0, "a little": 0.4, "slightly": 0.4, "a bit": 0.4, "somewhat": 0.7, "much": 2.0, "far": 2.0}
_COLOR_STEP_MIRED, _HARDNESS_STEP, _TURN_STEP_DEG = 75.0, 0.45, 20.0
# Weaker light of these kinds comes from all around, perhaps mostly from one side.
_SURROUNDING = {
    light_pb2.LIGHT_KIND_SUN_SKY,
    light_pb2.LIGHT_KIND_ENVIRONMENT_MAP,
    light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS,
    light_pb2.LIGHT_KIND_BACKGROUND,
}
_IT = re.compile(r"\bit\b")
_BRIGHTER = re.compile(
    r"\b(?:(a little|slightly|a bit|somewhat|much|far) )?(brighter|dimmer|darker)\b|^(dim|brighten)\b"
)
# What follows the description of a light that is moved or becomes brighter.
_CHANGE = re.compile(r" (?:to|by|towards) ")
_BY_STOPS = re.compile(r"\bby (?:about )?([\w. -]*?) ?stops?\b")
_SLIGHTLY = re.compile(r"\b(a little|slightly|a bit|somewhat|much)\b")
_NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBERS = {word: index + 1.0 for index, word in enumerate(_NUMBER_WORDS)} | {"half a": 0.5, "a": 1.0}


class InstructedLight(NamedTuple):
    """The light that an instruction asks for.

    Attributes:
        attributes: the main light, and the intensity of all.
        hue: the name of a colour that no temperature describes, or empty.
        others: direction of the weaker lights, and their intensity relative to the main one; what is said of their
            looks is not read. Those that are not mentioned are the objects that were given.
    """

    attributes: light_pb2.LightAttributes
    hue: str
    others: tuple[light_pb2.LightAttributes, ...] = ()


def instructed_light(
    instruction: str,
    before: light_pb2.LightAttributes,
    hue: str = "",
    others: Sequence[light_pb2.LightAttributes] = (),
) -> InstructedLight:
    """Return the light that an instruction makes of the light before.

    Contrast, which follows from weaker lights, and kinds are left out.

    Args:
        instruction: the instruction in English.
        before: the main light, and the intensity of all, relative to the camera.
        hue: the name of the light's colour where no temperature describes it.
        others: the weaker lights; their intensity is relative to the main one.
    """
    after = light_pb2.LightAttributes()
    after.CopyFrom(before)
    after.ClearField("contrast_ev")
    after.ClearField("kinds")
    plain = re.sub(r"\s+", " ", instruction.lower().strip().replace(" (", " to ").replace(")", ""))
    remaining, last = list(others), after
    for clause in filter(None, _CLAUSE.split(plain)):
        if _OTHER_LIGHT.search(clause):
            last = _change_others(remaining, clause)
        elif last is not after and _IT.search(clause):
            _direct(last, clause)
        else:
            last = after
            _brighten(after, clause)
            _direct(after, clause)
            _harden(after, clause)
            hue = _color(after, clause, hue)
    return InstructedLight(after, hue, tuple(remaining))


def _change_others(others: list[light_pb2.LightAttributes], clause: str) -> light_pb2.LightAttributes:
    """Add, remove or change a weaker light; return the one that a clause is about."""
    verb = clause.split(" ", 1)[0]
    subject = _described(clause if verb == "add" else _CHANGE.split(clause)[0])
    if verb == "add":
        others.append(subject)
        return subject
    if not others or verb in {"keep", "leave"} or "contrast" in clause:
        return subject
    index = min(range(len(others)), key=lambda index: light_distance_deg(others[index], subject))
    changed = light_pb2.LightAttributes()
    changed.CopyFrom(others.pop(index))
    if verb == "remove":
        return changed
    others.insert(index, changed)
    if verb == "make":
        _brighten(changed, clause)
    else:
        _direct(changed, clause)
    return changed


def _described(words: str) -> light_pb2.LightAttributes:
    """Return the direction that a description of a light has, none for an even one."""
    light = light_pb2.LightAttributes()
    arcs, heights, is_even = direction_of(words)
    if not is_even:
        _put(light, arcs, heights)
    return light


def light_distance_deg(light: light_pb2.LightAttributes, other: light_pb2.LightAttributes) -> float:
    """Return the angle between two weaker lights in degrees; 180 where only one has a direction.

    Light of surroundings may be described with the side where it is strongest or as from all around: it is no further
    than 45° from others without a direction and of surroundings.
    """
    angle_deg = direction_difference_deg(light, other)
    even = [not side.HasField("azimuth_deg") for side in (light, other)]
    around = [not _SURROUNDING.isdisjoint(side.kinds) for side in (light, other)]
    if angle_deg is None:
        angle_deg = 0.0 if all(even) else 180.0
    may_be_one = all(is_even or is_around for is_even, is_around in zip(even, around, strict=True))
    return min(angle_deg, 45.0) if may_be_one else angle_deg


def _direct(light: light_pb2.LightAttributes, clause: str) -> None:
    degrees = _DEGREES.search(clause)
    step_deg = float(degrees[1]) if degrees else _TURN_STEP_DEG
    turn, to = _TURN.search(clause), _TO.search(clause)
    if _EVENLY.search(clause):
        light.ClearField("azimuth_deg")
        light.ClearField("elevation_deg")
    elif tilt := _TILT.search(clause):
        _put(light, position_of(tilt[1])[0], ())
        light.elevation_deg = _TILTED_DEG
    elif turn and light.HasField("azimuth_deg"):
        light.azimuth_deg = _turned(light.azimuth_deg, turn[1], step_deg)
    elif re.match(r"(?:raise|lower)\b", clause) and not to and light.HasField("elevation_deg"):
        rise_deg = step_deg if clause.startswith("raise") else -step_deg
        light.elevation_deg = min(max(light.elevation_deg + rise_deg, -90.0), 90.0)
    elif to:
        _put(light, *position_of(to[1]))
    elif clause.startswith("replace"):
        arcs, heights, _ = direction_of(clause)
        _put(light, arcs, heights)


def _put(light: light_pb2.LightAttributes, arcs: tuple[Arc, ...], heights: tuple[Range, ...]) -> None:
    if arcs:
        light.azimuth_deg = arcs[0].center_deg
    if arcs or heights:
        light.elevation_deg = heights[0].typical if heights else _LEVEL_DEG
        if not light.HasField("azimuth_deg"):
            light.azimuth_deg = 0.0  # straight overhead, where any is right


def _turned(azimuth_deg: float, way: str, step_deg: float) -> float:
    """Turn an azimuth by a step towards a side, whichever turn leads there."""
    towards = unit_vector({"front": 0.0, "right": 90.0, "back": 180.0, "left": -90.0}[way], 0.0)
    turned = [wrap_deg(azimuth_deg + step_deg), wrap_deg(azimuth_deg - step_deg)]
    return max(turned, key=lambda azimuth: float(unit_vector(azimuth, 0.0) @ towards))


def _harden(light: light_pb2.LightAttributes, clause: str) -> None:
    stated = hardness_of(clause)
    for step in _STEP.finditer(clause):
        if step[2] in {"harder", "softer"} and light.HasField("hardness"):
            sign = 1.0 if step[2] == "harder" else -1.0
            light.hardness = min(max(light.hardness + sign * _HARDNESS_STEP * _size(step[1]), 0.0), 1.0)
    if stated:
        light.hardness = stated[0].typical


def _color(light: light_pb2.LightAttributes, clause: str, hue: str) -> str:
    """Change the colour as a clause says; return the hue, empty where a temperature describes it."""
    temperatures, hues = colors_of(clause)
    if temperatures:
        light.color_temperature_k = temperatures[0].typical
        return ""
    if hues:
        light.ClearField("color_temperature_k")
        return hues[0]
    for step in _STEP.finditer(clause):
        if step[2] in {"warmer", "cooler", "colder"} and light.HasField("color_temperature_k"):
            sign = 1.0 if step[2] == "warmer" else -1.0
            moved = mired(light.color_temperature_k) + sign * _COLOR_STEP_MIRED * _size(step[1])
            light.color_temperature_k = mired(min(max(moved, mired(MAX_TEMPERATURE_K)), mired(MIN_TEMPERATURE_K)))
    return hue


def _size(words: str | None) -> float:
    return _STEP_SIZES.get((words or "").strip(), 1.0)


def _brighten(light: light_pb2.LightAttributes, clause: str) -> None:
    found = _BRIGHTER.search(clause)
    if found is None or not light.HasField("intensity_ev"):
        return
    sign = 1.0 if (found[2] or found[3]) in {"brighter", "brighten"} else -1.0
    if by_stops := _BY_STOPS.search(clause):
        stops = _stops(by_stops[1])
    else:
        degree = _SLIGHTLY.search(clause) if found[3] else None
        stops = _size(degree[1] if degree else found[1])
    light.intensity_ev = min(max(light.intensity_ev + sign * stops, -32.0), 32.0)


def _stops(words: str) -> float:
    """Return a number of stops: "two", "half a", "one and a half", "3.5"."""
    words, half = re.subn(r" and a half$", "", words.strip())
    number = float(words) if re.fullmatch(r"\d+(?:\.\d+)?", words) else _NUMBERS.get(words, 1.0)
    return number + 0.5 * half
