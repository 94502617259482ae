"""What became of the weaker lights between two pictures: some appear, some are gone, others have changed."""

import math
from collections.abc import Sequence

from lumenmill_captioner.words.lighting import Lighting
from lumenmill_captioner.words.seconds import located_noun, second_noun, second_phrase
from lumenmill_captioner.words.shown import is_from_all_around
from lumenmill_captioner.words.steps import (
    CONTRAST_EV,
    Step,
    brightness_words,
    color_step,
    direction_step,
    hardness_step,
)
from lumenmill_captioner.words.wording import Words
from lumenmill_light.difference import direction_difference_deg
from lumenmill_light.english import listed
from lumenmill_light.visible_lights import VisibleLight

__all__ = ["paired", "weaker_light_steps"]

# All of the light is as large a change as this many of the smallest visible ones.
_LIGHT_WEIGHT = 12.0
# A weaker light that has turned by less is the same one.
_SAME_LIGHT_DEG = 45.0


def weaker_light_steps(before: Lighting, after: Lighting, words: Words) -> list[Step]:
    """Return what became of the weaker lights: some appear, some are gone, others have changed."""
    keys = (before.lights[0], after.lights[0])
    pairs, gone, added = paired(before, after)
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


def paired(
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
    has_side = not (is_from_all_around(light.attributes) and is_from_all_around(same.attributes))
    move = direction_step(light, same) if has_side else None
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


def _definite(phrase: str) -> str:
    """Return "the weaker …" for a weaker light, so that it is not taken for the main one."""
    bare = phrase.removeprefix("a ").removeprefix("an ")
    is_marked = bare.startswith(("weaker", "second")) or "rim light" in bare or "fill light" in bare
    return f"the {bare}" if is_marked else f"the weaker {bare}"
