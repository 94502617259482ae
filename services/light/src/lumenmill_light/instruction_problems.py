"""What an instruction about light leaves different from the light after, where it is read back and followed."""

import math
from collections.abc import Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill_light.difference import difference
from lumenmill_light.instructions import InstructedLight, instructed_light, light_distance_deg
from lumenmill_light.visible_lights import VisibleLight

__all__ = ["instruction_problems"]

# What words can carry: "the front left" is an eighth of a turn.
_TOLERANCES = {"direction_deg": 30.0, "hardness": 0.3, "color_temperature_mired": 60.0, "intensity_ev": 1.0}
_UNITS = {"direction_deg": "°", "hardness": "", "color_temperature_mired": " mired", "intensity_ev": " stops"}
_NAMES = {
    "direction_deg": "direction",
    "hardness": "hardness",
    "color_temperature_mired": "colour temperature",
    "intensity_ev": "intensity",
}
# A weaker light within this angle of another is the same one.
_SAME_LIGHT_DEG = 45.0


def instruction_problems(
    instruction: str,
    totals: tuple[light_pb2.LightAttributes, light_pb2.LightAttributes],
    before: Sequence[VisibleLight],
    after: Sequence[VisibleLight],
    faint: tuple[Sequence[VisibleLight], Sequence[VisibleLight]] = ((), ()),
    *,
    all_is_known: bool = True,
) -> list[str]:
    """Return what following an instruction leaves different, each in one sentence; nothing for an empty one.

    Tolerances are 30°, 0.3 of hardness, 60 mired and 1 stop. Of weaker lights only directions are compared.

    Args:
        instruction: the instruction in English.
        totals: direction, hardness and colour of the main light and the intensity of all, before and after.
        before: the visible lights before, the main one first.
        after: the visible lights after, the main one first.
        faint: lights too weak to be seen apart, before and after; those neither need to be added nor removed.
        all_is_known: whether a light without a direction comes evenly, rather than from a side that is not known.
    """
    if not instruction:
        return []
    if not before or not after:
        return _switching_problems(instruction, before, after)
    unseen = [_relative(light, before[0]) for light in faint[0]]
    others = [*(_relative(light, before[0]) for light in before[1:]), *unseen]
    made = instructed_light(instruction, totals[0], before[0].hue, others)
    found = _numeric_problems(made.attributes, totals[1])
    found += _color_problems(made, after[0])
    if all_is_known:
        found += _even_problems(made.attributes, after[0])
        unchanged = [light for light in made.others if any(light is other for other in unseen)]
        expected = [light for light in made.others if not any(light is other for other in unseen)]
        found += _other_problems(expected, unchanged, after, faint[1])
    return found


def _switching_problems(instruction: str, before: Sequence[VisibleLight], after: Sequence[VisibleLight]) -> list[str]:
    words = instruction.lower()
    if before and not after and not words.startswith("turn the light off"):
        return ["The light has gone out, which the instruction does not say."]
    if after and not before and not words.startswith("add "):
        return ["Light has been added, which the instruction does not say."]
    return []


def _numeric_problems(made: light_pb2.LightAttributes, after: light_pb2.LightAttributes) -> list[str]:
    left = {field.name: abs(value) for field, value in difference(made, after).ListFields()}
    return [
        f"The instruction leaves {left[name]:.3g}{_UNITS[name]} of {_NAMES[name]}."
        for name, most in _TOLERANCES.items()
        if left.get(name, 0.0) > most
    ]


def _color_problems(made: InstructedLight, after: VisibleLight) -> list[str]:
    """Compare hues, also with temperatures, where both colours are known."""
    first, second = _color(made.attributes, made.hue), _color(after.attributes, after.hue)
    if not first or not second or made.hue == after.hue:
        return []
    return [f"The instruction leads to light of {first}, but the light is of {second}."]


def _color(attributes: light_pb2.LightAttributes, hue: str) -> str:
    if hue:
        return f"the hue {hue}"
    return f"{attributes.color_temperature_k:.0f} K" if attributes.HasField("color_temperature_k") else ""


def _even_problems(made: light_pb2.LightAttributes, after: VisibleLight) -> list[str]:
    if made.HasField("azimuth_deg") == after.has_direction:
        return []
    if after.has_direction:
        return ["The instruction leads to light from all around, but the light comes from one side."]
    return ["The instruction leads to light from one side, but the light comes from all around."]


def _relative(light: VisibleLight, key: VisibleLight) -> light_pb2.LightAttributes:
    """Return kind and direction of a weaker light, and its intensity relative to the main one."""
    found = light_pb2.LightAttributes()
    found.kinds.extend(light.attributes.kinds[:1])
    if light.has_direction:
        found.azimuth_deg, found.elevation_deg = light.attributes.azimuth_deg, light.attributes.elevation_deg
    if light.share > 0.0 and key.share > 0.0:
        found.intensity_ev = math.log2(light.share / key.share)
    return found


def _other_problems(
    made: Sequence[light_pb2.LightAttributes],
    unseen: Sequence[light_pb2.LightAttributes],
    after: Sequence[VisibleLight],
    faint: Sequence[VisibleLight],
) -> list[str]:
    """Compare direction and strength of weaker lights, each with one of the other side, and how many there are."""
    shown = [_relative(light, after[0]) for light in after[1:]]
    hidden = [_relative(light, after[0]) for light in faint]
    pairs = _pairs([*made, *unseen], [*shown, *hidden])
    found = [
        f"The instruction leaves or adds a weaker light {_where(light)}, which is not there."
        for light in made
        if not any(light is first for first, _ in pairs)
    ]
    found += [
        f"The instruction does not lead to the weaker light {_where(light)}."
        for light in shown
        if not any(light is second for _, second in pairs)
    ]
    return found + [
        f"The instruction leaves {abs(left):.3g} stops of the strength of the weaker light {_where(second)}."
        for first, second in pairs
        if (left := difference(first, second).intensity_ev)
        and abs(left) > _TOLERANCES["intensity_ev"]
        and (any(first is light for light in made) or any(second is light for light in shown))
    ]


def _pairs(
    lights: Sequence[light_pb2.LightAttributes], others: Sequence[light_pb2.LightAttributes]
) -> list[tuple[light_pb2.LightAttributes, light_pb2.LightAttributes]]:
    """Return the lights that are the same on both sides, the closest ones first."""
    angles = sorted(
        (
            (angle_deg, first, second)
            for first, light in enumerate(lights)
            for second, other in enumerate(others)
            if (angle_deg := light_distance_deg(light, other)) <= _SAME_LIGHT_DEG
        ),
        key=lambda entry: entry[0],
    )
    pairs: dict[int, int] = {}
    for _, first, second in angles:
        if first not in pairs and second not in pairs.values():
            pairs[first] = second
    return [(lights[first], others[second]) for first, second in pairs.items()]


def _where(light: light_pb2.LightAttributes) -> str:
    if not light.HasField("azimuth_deg"):
        return "from all around"
    return f"at azimuth {light.azimuth_deg:.0f}° and elevation {light.elevation_deg:.0f}°"
