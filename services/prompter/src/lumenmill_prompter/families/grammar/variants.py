"""Relight variants of one set: lights that clearly differ from each other and from the set's own.

Variants come in fours. One of four at most is light from all around (environment map or spherical harmonics); the
others have a direction. Their azimuths advance in equal steps, and so do their colours, hardness and elevations, so
that each four has warm and cool, hard and soft, and light from different sides, while all lights together stay even.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from lumenmill.common.v1 import light_pb2
from lumenmill_light.axes import circular_difference_deg, direction
from lumenmill_light.source_attributes import SourceAttributes
from lumenmill_prompter.families.grammar.light_space import AMBIENT_KINDS, SPHERICAL_HARMONICS, SUN_SKY, LightSpace
from lumenmill_prompter.families.grammar.lights import Draft, Rig, completed, draft_light, finished
from lumenmill_prompter.families.grammar.numbers import Choice
from lumenmill_prompter.families.grammar.strata import SOFT_ALONE, SOFT_BESIDE_HARMONICS
from lumenmill_prompter.families.grammar.strength import LEVEL, relative_level_ev

__all__ = ["Variant", "relight_variants"]

_BLOCK = 4
_GOLDEN = 0.6180339887
_MAX_ATTEMPTS = 16
# How far each attempt moves light from all around in azimuth and elevation, as parts of their ranges.
_AMBIENT_TURN, _AMBIENT_RISE = 0.05, 0.45
# Later attempts turn the other lights as well, each by another angle: walls leave them less room.
_FIRST_TURNED, _DIRECT_TURN = 7, 0.085
# Differences that are clearly visible: kelvin, hardness, and degrees between lights.
WARM_BELOW_K, COOL_ABOVE_K = 4200.0, 5300.0
_COOL_ABOVE_K = {SUN_SKY: 6900.0}  # below, its sun is still a warm white
HARD_FROM, SOFT_BELOW = 0.75, 0.4
TWO_SIDES_DEG, OVERHEAD_DEG = 60.0, 72.0


class Variant(NamedTuple):
    """One light and how much brighter it is than the set's own, in stops; None where one of them is a map."""

    light: light_pb2.Light
    change_ev: float | None


def relight_variants(
    point: Sequence[float], own: Rig | None, num: int, space: LightSpace, choice: Choice
) -> list[Variant]:
    """Return `num` lights for a set at `point` of the unit cube; `own` is the set's own light, if any."""
    written: list[Variant] = []
    while len(written) < num:
        start = len(written) // _BLOCK * _GOLDEN
        origin = [(value + start) % 1.0 for value in point]
        written += _block(origin, own, min(_BLOCK, num - len(written)), space, choice)
    for number, variant in enumerate(written, 1):
        variant.light.name = f"{variant.light.name}-{number}"
    return written


def _block(origin: Sequence[float], own: Rig | None, num: int, space: LightSpace, choice: Choice) -> list[Variant]:
    """Up to four lights; other elevations and colours are tried until they differ clearly."""
    wordings = [choice.bits() for _ in range(num)]
    ambient_slot = choice.bits() % _BLOCK
    max_cosine = math.cos(math.radians(space.surroundings.min_angle_deg))
    beside = (own.level if own is not None else None) or LEVEL
    levels = [beside * 2.0 ** relative_level_ev((origin[6] + slot / num) % 1.0) for slot in range(num)]
    best: list[Draft] = []
    best_met = -1
    for attempt in range(_MAX_ATTEMPTS):
        drafts = _attempt(origin, attempt, ambient_slot, wordings, levels, space)
        met = _num_met([draft.key for draft in drafts], None if own is None else own.key, max_cosine)
        if met > best_met:
            best, best_met = drafts, met
        if met == _NUM_CRITERIA:
            break
    return [_variant(draft, own, space, wording) for draft, wording in zip(best, wordings, strict=True)]


def _variant(draft: Draft, own: Rig | None, space: LightSpace, wording: int) -> Variant:
    rig = completed(draft, space)
    return Variant(finished(rig, space, wording), None if own is None else _change_ev(own, rig))


def _change_ev(before: Rig, after: Rig) -> float | None:
    """Return the stops between two lights on the camera's side, no more than between their own irradiances."""
    if not before.level or not after.level:
        return None
    seen = math.log2(after.level / before.level)
    irradiances = [sum(look.strength for look in rig.found) for rig in (before, after)]
    facing = math.log2(irradiances[1] / irradiances[0])
    return min(seen, facing, key=abs) if seen * facing > 0.0 else 0.0


def _attempt(
    origin: Sequence[float],
    attempt: int,
    ambient_slot: int,
    wordings: Sequence[int],
    levels: Sequence[float],
    space: LightSpace,
) -> list[Draft]:
    num = len(wordings)
    around, direct = space.ambient_slots, space.direct_slots
    if not direct:
        return [
            draft_light(_around(origin, attempt, slot, num), space, wordings[slot], level=levels[slot])
            for slot in range(num)
        ]
    slots = [slot for slot in range(num) if slot != ambient_slot or not around]
    ambient_kind = _at(around, origin[0]) if len(slots) < num else None
    soft_share = SOFT_BESIDE_HARMONICS if ambient_kind == SPHERICAL_HARMONICS else SOFT_ALONE
    kinds = [_at(direct, (origin[0] + index / len(slots)) % 1.0) for index in range(len(slots))]
    points = _stratified(origin, attempt, len(slots))
    _assign_hardness(kinds, points, soft_share)
    by_slot = {
        slot: draft_light(point, space, wordings[slot], kind, soft_share, levels[slot])
        for slot, point, kind in zip(slots, points, kinds, strict=True)
    }
    if ambient_kind is not None:
        point = _around(origin, attempt, ambient_slot, num)
        wording, level = wordings[ambient_slot], levels[ambient_slot]
        by_slot[ambient_slot] = draft_light(point, space, wording, ambient_kind, level=level)
    return [by_slot[slot] for slot in range(num)]


def _around(origin: Sequence[float], attempt: int, slot: int, num: int) -> list[float]:
    """Return the point of light from all around: another one in each slot, round the subject in equal steps.

    Each attempt turns and raises it: daylight beside it has the elevation that its colour demands, so that it cannot be
    moved away instead.
    """
    point = [(value + (slot + 1) * _GOLDEN) % 1.0 for value in origin]
    point[1] = (origin[1] + (slot + 1) / (num + 1) + attempt * _AMBIENT_TURN) % 1.0
    point[2] = (point[2] + attempt * _AMBIENT_RISE) % 1.0
    return point


def _at(kinds: Sequence["light_pb2.LightKind.ValueType"], value: float) -> "light_pb2.LightKind.ValueType":
    return kinds[int(value * len(kinds))]


def _stratified(origin: Sequence[float], attempt: int, num: int) -> list[list[float]]:
    """Points of `num` lights, a `num`-th apart in elevation, colour and hardness, and as far apart in azimuth.

    Each attempt pairs them in another way.
    """
    nudge = attempt * 0.1370
    points = []
    for index in range(num):
        colour = index if attempt % 2 else -index
        offsets = (
            0.0,
            (index + 1) / (num + 1) + max(attempt - _FIRST_TURNED, 0) * (index + 1) * _DIRECT_TURN,
            index / num + nudge,
            colour / num + nudge * 1.7,
            index / num,
            index * 0.3247 + 0.17,
            index * 0.7549 + 0.31,
        )
        points.append([(value + offset) % 1.0 for value, offset in zip(origin, offsets, strict=True)])
    return points


def _assign_hardness(kinds: Sequence[int], points: Sequence[list[float]], soft_share: float) -> None:
    """Give daylight, whose weather decides its hardness, the middle of the points' values, and lamps hard and soft."""
    middle = (1.0 + soft_share) / 4.0 + soft_share / 2.0
    values = sorted((point[4] for point in points), key=lambda value: abs(value - middle))
    order = sorted(range(len(kinds)), key=lambda index: kinds[index] != SUN_SKY)
    for index, value in zip(order, values, strict=True):
        points[index][4] = value


_NUM_CRITERIA = 6


def _num_met(keys: Sequence[SourceAttributes], own: SourceAttributes | None, max_cosine: float) -> int:
    """How many of the six criteria the lights of a block meet: warm, cool, hard, soft, from two sides, and apart."""
    directed = [key for key in keys if key.kind not in AMBIENT_KINDS]
    if len(directed) < 2:
        return _NUM_CRITERIA
    kelvins = [(key.kind, key.temperature_k) for key in directed if key.temperature_k is not None]
    hardness = [key.hardness for key in keys if key.hardness is not None]
    criteria = (
        any(kelvin < WARM_BELOW_K for _, kelvin in kelvins),
        any(kelvin > _COOL_ABOVE_K.get(kind, COOL_ABOVE_K) for kind, kelvin in kelvins),
        any(value >= HARD_FROM for value in hardness),
        any(value < SOFT_BELOW for value in hardness),
        _from_two_sides(directed),
        _apart(keys if own is None else [*keys, own], max_cosine),
    )
    return sum(criteria)


def _angles(keys: Sequence[SourceAttributes]) -> list[tuple[float, float]]:
    """Azimuth and elevation of those that have a direction."""
    return [
        (key.azimuth_deg, key.elevation_deg)
        for key in keys
        if key.azimuth_deg is not None and key.elevation_deg is not None
    ]


def _from_two_sides(keys: Sequence[SourceAttributes]) -> bool:
    sides = [azimuth for azimuth, elevation in _angles(keys) if elevation < OVERHEAD_DEG]
    return any(circular_difference_deg(a, b) >= TWO_SIDES_DEG for a, b in itertools.combinations(sides, 2))


def _apart(keys: Sequence[SourceAttributes], max_cosine: float) -> bool:
    directions = [direction(*angles) for angles in _angles(keys)]
    return all(a[0] * b[0] + a[1] * b[1] + a[2] * b[2] < max_cosine for a, b in itertools.combinations(directions, 2))
