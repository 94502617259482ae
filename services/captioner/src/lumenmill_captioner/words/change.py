"""What changed in the light between two pictures, as an instruction and as a statement, the largest change first.

A change is described from these thresholds, at which it is visible: direction 15°; hardness 0.15; contrast 0.75 stops,
also of a weaker light against the main one;
colour 20 mired (about four just-noticeable differences of 5.5 mired), or another hue; intensity 0.4 stops; a light that
appears or is gone. Changes are ranked by how many of the smallest visible ones they span.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.words.seconds import located_noun, second_noun, second_phrase
from lumenmill_captioner.words.shown import is_from_all_around
from lumenmill_captioner.words.steps import (
    CONTRAST_EV,
    Step,
    brightness_words,
    color_step,
    contrast_step,
    direction_step,
    hardness_step,
)
from lumenmill_captioner.words.wording import Words, capitalised, listed, source_noun
from lumenmill_light.difference import direction_difference_deg
from lumenmill_light.visible_lights import VisibleLight, visible_lights

__all__ = [
    "INTENSITY_EV",
    "UNCHANGED",
    "Change",
    "Lighting",
    "are_comparable",
    "arrived_lighting",
    "changes_between",
    "measured_lighting",
    "without_intensity",
]

INTENSITY_EV = 0.4
"""Change of intensity in stops from which it is described."""
# Another kind of source is as large a change as this many of the smallest visible ones; so is all of the light.
_KIND_WEIGHT, _LIGHT_WEIGHT = 2.5, 12.0
# A weaker light that has turned by less is the same one; one with less than this share does not appear, it was there.
_SAME_LIGHT_DEG, _FAINT_SHARE = 45.0, 0.04

_PARTS_OF_SENTENCE = 3


@dataclass(frozen=True)
class Lighting:
    """The light of one picture as it is compared.

    Attributes:
        lights: those that are described, the main one first; measured light has only that one.
        faint: those too weak to be described.
        intensity_ev: of all light, None where it is not known.
        contrast_ev: of lit and shaded side, None where it is not known or follows from the lights.
        all_is_known: whether a light without a direction comes evenly, rather than from a side that is not known.
    """

    lights: tuple[VisibleLight, ...]
    faint: tuple[VisibleLight, ...] = ()
    intensity_ev: float | None = None
    contrast_ev: float | None = None
    all_is_known: bool = True

    def total(self) -> light_pb2.LightAttributes:
        """Return direction, hardness and colour of the main light, and the intensity of all."""
        found = light_pb2.LightAttributes()
        if self.lights:
            found.CopyFrom(self.lights[0].attributes)
        found.ClearField("intensity_ev")
        found.ClearField("contrast_ev")
        if self.intensity_ev is not None:
            found.intensity_ev = self.intensity_ev
        return found


@dataclass(frozen=True)
class Change:
    """What changed. `attributes` names fields of LightAttributes, the largest change first; all are empty if none."""

    instruction: str = ""
    text: str = ""
    attributes: tuple[str, ...] = ()


UNCHANGED = Change("Leave the light as it is.", "The light has not changed.")
"""What is said of light that is known to be the same."""


def arrived_lighting(arrived: light_pb2.ArrivedLight) -> Lighting:
    """Return arrived light as it is compared."""
    lights, total = visible_lights(arrived), arrived.attributes
    shown = {light.source_index for light in lights}
    faint = [light for light in visible_lights(arrived, min_share=_FAINT_SHARE) if light.source_index not in shown]
    return Lighting(tuple(lights), tuple(faint), total.intensity_ev if total.HasField("intensity_ev") else None)


def measured_lighting(attributes: light_pb2.LightAttributes) -> Lighting:
    """Return measured light as it is compared."""
    return Lighting(
        (VisibleLight(attributes, 1.0, "", 0),),
        intensity_ev=attributes.intensity_ev if attributes.HasField("intensity_ev") else None,
        contrast_ev=attributes.contrast_ev if attributes.HasField("contrast_ev") else None,
        all_is_known=False,
    )


def without_intensity(lighting: Lighting) -> Lighting:
    """Return light whose intensity is not compared."""
    return replace(lighting, intensity_ev=None)


def changes_between(before: Lighting, after: Lighting, words: Words) -> Change:
    """Return what changed visibly; what either side does not know is not compared."""
    if not before.lights or not after.lights:
        return _switched(before, after, words)
    key_steps = _key_steps(before, after, words)
    other_steps = _other_steps(before, after, words)
    is_alone = len(before.lights) == len(after.lights) == 1
    brightness = _brightness_step(before, after, is_alone)
    steps = sorted([*key_steps, *other_steps, *brightness], key=lambda step: -step.weight)
    if not steps:
        return Change()
    noun = "the light" if is_alone else words.pick(("the key light", "the main light"))
    names = tuple(dict.fromkeys(name for step in steps for name in step.attributes))
    return Change(_sentences(steps, noun, _as_instruction), _sentences(steps, noun, _as_statement), names)


def _switched(before: Lighting, after: Lighting, words: Words) -> Change:
    """Describe light that goes on or off."""
    if before.lights:
        return Change("Turn the light off.", "The light has gone out.", ("intensity_ev",))
    if not after.lights:
        return Change()
    on = listed([second_phrase(light, after.lights[0], words) for light in after.lights])
    return Change(capitalised(f"add {on}."), capitalised(f"{on} has been added."), ("intensity_ev",))


def _key_steps(before: Lighting, after: Lighting, words: Words) -> list[Step]:
    first, second = before.lights[0], after.lights[0]
    steps = [hardness_step(first, second, words), color_step(first, second, words), _kind_step(first, second)]
    if (before.all_is_known and after.all_is_known) or (first.has_direction and second.has_direction):
        steps.append(direction_step(first, second))
    if before.contrast_ev is not None and after.contrast_ev is not None:
        steps.append(contrast_step(before.contrast_ev, after.contrast_ev))
    return [step for step in steps if step is not None]


_LAMPS = {light_pb2.LIGHT_KIND_AREA, light_pb2.LIGHT_KIND_DIRECTIONAL}


def _kind_step(before: VisibleLight, after: VisibleLight) -> Step | None:
    """Return how another kind of source replaced one; lamps near and far look alike."""
    old, new = (_kind_noun(light.attributes) for light in (before, after))
    if not old or not new or old == new:
        return None
    return Step(
        _KIND_WEIGHT, ("kinds",), f"replace the {old} with {_article(new)}", f"{_article(new)} has replaced the {old}"
    )


def _kind_noun(attributes: light_pb2.LightAttributes) -> str:
    if not attributes.kinds:
        return ""
    if attributes.kinds[0] == light_pb2.LIGHT_KIND_SUN_SKY:
        return "daylight"
    return "lamp" if attributes.kinds[0] in _LAMPS else source_noun(attributes)


def _article(noun: str) -> str:
    return "a lamp" if noun == "lamp" else noun


def _brightness_step(before: Lighting, after: Lighting, is_alone: bool) -> list[Step]:
    if before.intensity_ev is None or after.intensity_ev is None:
        return []
    change = after.intensity_ev - before.intensity_ev
    if abs(change) < INTENSITY_EV:
        return []
    weight, how = abs(change) / INTENSITY_EV, brightness_words(change)
    if is_alone:
        return [Step(weight, ("intensity_ev",), adjective=how)]
    return [Step(weight, ("intensity_ev",), f"make the light as a whole {how}", f"the light as a whole is {how}")]


def _other_steps(before: Lighting, after: Lighting, words: Words) -> list[Step]:
    """Return what became of the weaker lights: some appear, some are gone, others have changed."""
    keys = (before.lights[0], after.lights[0])
    pairs, gone, added = _paired(before, after)
    found = [_step_of_other(light, same, keys, words) for light, same in pairs]
    steps = [step for step in found if step is not None]
    for light in gone:
        phrase = _definite(second_phrase(light, before.lights[0], words))
        steps.append(_light_step(light, f"remove {phrase}", f"{phrase} is gone"))
    for light in added:
        phrase = second_phrase(light, after.lights[0], words)
        steps.append(_light_step(light, f"add {phrase}", f"{phrase} has been added"))
    return steps


def _light_step(light: VisibleLight, instruction: str, statement: str) -> Step:
    return Step(_LIGHT_WEIGHT * light.share, ("contrast_ev",), instruction, statement)


def _is_same(light: VisibleLight, other: VisibleLight) -> bool:
    if is_from_all_around(light.attributes) and is_from_all_around(other.attributes):
        return True  # neither has a side that is described
    if light.has_direction != other.has_direction:
        return False
    return (direction_difference_deg(light.attributes, other.attributes) or 0.0) < _SAME_LIGHT_DEG


def _paired(
    before: Lighting, after: Lighting
) -> tuple[list[tuple[VisibleLight, VisibleLight]], list[VisibleLight], list[VisibleLight]]:
    """Return the weaker lights of both sides that are the same, those that are gone and those that appear."""
    pairs, gone = [], []
    old, new = before.lights[1:], list(after.lights[1:])
    for light in old:
        same = _nearest(light, new) or _nearest(light, after.faint)
        if same is None:
            gone.append(light)
            continue
        pairs.append((light, same))
        if same in new:
            new.remove(same)
    added = []
    for light in new:
        same = _nearest(light, before.faint)
        if same is None:
            added.append(light)
        else:
            pairs.append((same, light))
    return pairs, gone, added


def _nearest(light: VisibleLight, others: Sequence[VisibleLight]) -> VisibleLight | None:
    """Return the closest of the lights that may be the same one."""
    same = [other for other in others if _is_same(light, other)]
    return min(
        same, key=lambda other: direction_difference_deg(light.attributes, other.attributes) or 0.0, default=None
    )


def _step_of_other(
    light: VisibleLight, same: VisibleLight, keys: tuple[VisibleLight, VisibleLight], words: Words
) -> Step | None:
    """Return how a weaker light changed, weighted by its share: its looks, strength against the key, and direction."""
    looks = [hardness_step(light, same, words), color_step(light, same, words), _ratio_step(light, same, keys)]
    changed = sorted((step for step in looks if step is not None), key=lambda step: -step.weight)
    move = direction_step(light, same)
    if not changed and move is None:
        return None
    steps = [*changed, *([move] if move else [])]
    weight = max(step.weight for step in steps) * max(light.share, same.share)
    names = tuple(dict.fromkeys(name for step in steps for name in step.attributes))
    old = _definite(second_phrase(light, keys[0], words))
    if not changed and move is not None:
        return Step(weight, names, *_move_of_other(move, light, keys[0], old))
    how = listed([step.adjective for step in changed])
    new = _definite(located_noun(same, keys[1], words))
    then = f" and {move.instruction.replace('{light}', 'it')}" if move else ""
    return Step(weight, names, f"make {old} {how}{then}", f"{new} is now {how}")


def _ratio_step(light: VisibleLight, same: VisibleLight, keys: tuple[VisibleLight, VisibleLight]) -> Step | None:
    """Return how the strength of a weaker light changed against the main one; None where that is not visible."""
    change_ev = _ratio_ev(same, keys[1]) - _ratio_ev(light, keys[0])
    if abs(change_ev) < CONTRAST_EV:
        return None
    how = f"{brightness_words(change_ev)} relative to the key light"
    return Step(abs(change_ev) / CONTRAST_EV, ("contrast_ev",), adjective=how)


def _move_of_other(move: Step, light: VisibleLight, key: VisibleLight, old: str) -> tuple[str, str]:
    """Return instruction and statement; "from … to …" already has the side that it comes from."""
    if not move.instruction.startswith("move"):
        return move.instruction.replace("{light}", old), move.statement.replace("{light}", old)
    name = _definite(second_noun(light, key))
    # A text states moves of the main light only.
    statement = f"{name} now comes from {move.statement.rpartition(' to ')[2]}"
    return move.instruction.replace("{light}", name), statement


def _ratio_ev(light: VisibleLight, key: VisibleLight) -> float:
    return math.log2(light.share / key.share) if light.share > 0.0 and key.share > 0.0 else 0.0


def are_comparable(before: Lighting, after: Lighting) -> bool:
    """Whether hardness and colour of all described lights are known on both sides or on neither."""
    pairs = [*zip(before.lights[:1], after.lights[:1], strict=False), *_paired(before, after)[0]]
    return all(_known(first) == _known(second) for first, second in pairs)


def _known(light: VisibleLight) -> tuple[bool, bool]:
    attributes = light.attributes
    return attributes.HasField("hardness"), bool(light.hue) or attributes.HasField("color_temperature_k")


def _definite(phrase: str) -> str:
    """Return "the weaker …" for a weaker light, so that it is not taken for the main one."""
    bare = phrase.removeprefix("a ").removeprefix("an ")
    is_marked = bare.startswith(("weaker", "second")) or "rim light" in bare or "fill light" in bare
    return f"the {bare}" if is_marked else f"the weaker {bare}"


def _as_instruction(step: Step, adjectives: str) -> str:
    return f"make {{light}} {adjectives}" if adjectives else step.instruction


def _as_statement(step: Step, adjectives: str) -> str:
    return f"{{light}} is now {adjectives}" if adjectives else step.statement


def _sentences(steps: Sequence[Step], noun: str, phrase: Callable[[Step, str], str]) -> str:
    """Write changes in sentences of three; all that the light becomes is said where the first of it stands."""
    adjectives = [step.adjective for step in steps if step.adjective]
    kept = [step for step in steps if not step.adjective or step.adjective == adjectives[0]]
    written = []
    for start in range(0, len(kept), _PARTS_OF_SENTENCE):
        parts: list[str] = []
        it_is_clear = False
        for step in kept[start : start + _PARTS_OF_SENTENCE]:
            part = phrase(step, listed(adjectives) if step.adjective else "")
            parts.append(part.replace("{light}", "it" if it_is_clear else noun))
            it_is_clear = "{light}" in part
        written.append(capitalised(listed(parts)) + ".")
    return " ".join(written)
