"""What changed in the light between two pictures, as an instruction and as a statement, the largest change first.

A change is described from these thresholds, at which it is visible: direction 15°; hardness 0.15; contrast 0.75 stops,
also of a weaker light against the main one;
colour 20 mired (about four just-noticeable differences of 5.5 mired), or another hue; intensity 0.4 stops; a light that
appears or is gone. Changes are ranked by how many of the smallest visible ones they span.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.words.lighting import Lighting
from lumenmill_captioner.words.seconds import second_phrase
from lumenmill_captioner.words.steps import (
    DIRECTION_DEG,
    Step,
    brightness_words,
    color_step,
    contrast_step,
    direction_step,
    hardness_step,
)
from lumenmill_captioner.words.weaker_lights import paired, weaker_light_steps
from lumenmill_captioner.words.wording import Words, has_hard_sun, source_noun
from lumenmill_light.difference import direction_difference_deg
from lumenmill_light.english import capitalised, listed
from lumenmill_light.visible_lights import VisibleLight

__all__ = ["INTENSITY_EV", "UNCHANGED", "Change", "are_comparable", "changes_between"]

INTENSITY_EV = 0.4
"""Change of intensity in stops from which it is described."""
# Another kind of source is as large a change as this many of the smallest visible ones.
_KIND_WEIGHT = 2.5
_PARTS_OF_SENTENCE = 3


@dataclass(frozen=True)
class Change:
    """What changed. `attributes` names fields of LightAttributes, the largest change first; all are empty if none."""

    instruction: str = ""
    text: str = ""
    attributes: tuple[str, ...] = ()


UNCHANGED = Change("Leave the light as it is.", "The light has not changed.")
"""What is said of light that is known to be the same."""


def changes_between(before: Lighting, after: Lighting, words: Words) -> Change:
    """Return what changed visibly; what either side does not know is not compared."""
    if not before.lights or not after.lights:
        return _switched(before, after, words)
    key_steps = _key_steps(before, after, words)
    other_steps = weaker_light_steps(before, after, words)
    is_alone = len(before.lights) == len(after.lights) == 1
    brightness = _brightness_step(before, after, is_alone)
    steps = sorted([*key_steps, *other_steps, *brightness], key=lambda step: -step.weight)
    if not steps:
        return Change()
    noun = "the light" if is_alone else words.pick(("the key light", "the main light"))
    names = tuple(dict.fromkeys(name for step in steps for name in step.attributes))
    return Change(_sentences(steps, noun, _as_instruction), _sentences(steps, noun, _as_statement), names)


def are_comparable(before: Lighting, after: Lighting) -> bool:
    """Whether hardness and colour of all described lights are known on both sides or on neither.

    Nor are main lights comparable that come from different sides which the pictures do not show.
    """
    if before.unseen_side is not None and after.unseen_side is not None:
        turned_deg = direction_difference_deg(before.unseen_side, after.unseen_side)
        if turned_deg is not None and turned_deg >= DIRECTION_DEG:
            return False
    pairs = [*zip(before.lights[:1], after.lights[:1], strict=False), *paired(before, after)[0]]
    return all(_known(first) == _known(second) for first, second in pairs)


def _known(light: VisibleLight) -> tuple[bool, bool]:
    attributes = light.attributes
    return attributes.HasField("hardness"), bool(light.hue) or attributes.HasField("color_temperature_k")


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
    steps = [hardness_step(first, second, words), color_step(first, second, words), _kind_step(before, after)]
    if (before.all_is_known and after.all_is_known) or (first.has_direction and second.has_direction):
        steps.append(direction_step(first, second))
    if before.contrast_ev is not None and after.contrast_ev is not None:
        steps.append(contrast_step(before.contrast_ev, after.contrast_ev))
    return [step for step in steps if step is not None]


_LAMPS = {light_pb2.LIGHT_KIND_AREA, light_pb2.LIGHT_KIND_DIRECTIONAL}


def _kind_step(before: Lighting, after: Lighting) -> Step | None:
    """Return how another kind of source replaced one; lamps near and far look alike.

    A kind of which there is a weaker light on the other side was not replaced.
    """
    old, new = (_kind_noun(side.lights[0].attributes) for side in (before, after))
    weaker = [{_kind_noun(light.attributes) for light in side.lights[1:]} for side in (before, after)]
    if not old or not new or old == new or new in weaker[0] or old in weaker[1]:
        return None
    return Step(
        _KIND_WEIGHT, ("kinds",), f"replace the {old} with {_article(new)}", f"{_article(new)} has replaced the {old}"
    )


def _kind_noun(attributes: light_pb2.LightAttributes) -> str:
    """Return a noun for a kind of light; empty where it is not known, or where it looks like another one.

    The sun of a map may be taken for daylight as well as for a lamp.
    """
    if not attributes.kinds:
        return ""
    if attributes.kinds[0] == light_pb2.LIGHT_KIND_ENVIRONMENT_MAP and has_hard_sun(attributes):
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
