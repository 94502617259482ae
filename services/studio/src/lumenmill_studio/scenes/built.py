"""Describe what was built and can be seen from the camera, in words: things with their number, relations, and place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1.scene_pb2 import SceneDescription, WordSubstitution
from lumenmill_light.english import listed, with_article
from lumenmill_studio.scenes.layout import Item
from lumenmill_studio.scenes.materials import NATURAL
from lumenmill_studio.scenes.places import place_shown
from lumenmill_studio.scenes.relations import Box, relation
from lumenmill_studio.scenes.spec import ObjectSpec, SceneSpec
from lumenmill_studio.scenes.synonyms import plural
from lumenmill_studio.scenes.vocabulary import KINDS

__all__ = ["built_scene", "description_of", "material_word", "substitutions_of"]

Instances = NDArray[np.float32]
# Smaller things cannot be recognised.
_MIN_VISIBLE_FRACTION = 0.001
_NATURAL = "natural"
_NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine"}
# As in SceneDescription.
_MAX_SUBJECTS, _MAX_DESCRIPTION = 32, 2000
# Things in the background cover one another: this part of the picture each, or they cannot be counted.
_MIN_COUNTED_FRACTION = 0.004


@dataclass(frozen=True)
class _Group:
    """Equal things in one position: of one name and material, all free or all on one thing, all before or behind."""

    name: str
    material: str
    items: tuple[ObjectSpec, ...]
    support: ObjectSpec | None
    is_backdrop: bool

    @property
    def phrase(self) -> str:
        """Return the noun phrase with its number: "two copper bowls"."""
        adjective = "" if self.material == _NATURAL else f"{self.material} "
        number = len(self.items)
        if number > 1:
            return f"{_NUMBER_WORDS.get(number, str(number))} {adjective}{plural(self.name)}"
        noun = "cairn of stacked stones" if self.name == "stacked stones" else self.name
        return with_article(f"{adjective}{noun}")


def built_scene(spec: SceneSpec, instances: Iterable[Instances], azimuth_deg: float | None) -> SceneDescription:
    """Return the description of what a picture or a clip shows.

    Args:
        spec: the scene.
        instances: instance numbers (H, W, 1) of the picture, or of frames of the clip, 0 where nothing is.
        azimuth_deg: azimuth of the camera; ``None`` for a camera that moves, so that no relation depends on it.
    """
    visible = _visible_instances(instances)
    items = _countable([item for item in spec.objects if item.instance in visible], visible)
    groups = _groups(spec, items)
    place = place_shown(spec.kind, spec.place, frozenset(item.name for item in items if item.shape.startswith("set:")))
    scene = SceneDescription(
        kind=next(number for number, name in KINDS.items() if name == spec.kind),
        description=_described(groups, place, azimuth_deg)[:_MAX_DESCRIPTION],
        place=place,
        seed=spec.seed,
    )
    for group in groups:
        scene.subjects.extend([group.name] * len(group.items))
        scene.materials.extend([group.material] * len(group.items))
    del scene.subjects[_MAX_SUBJECTS:], scene.materials[_MAX_SUBJECTS:]
    return scene


def description_of(spec: SceneSpec) -> str:
    """Return the description of all that was built, whether it is in view or not."""
    pieces = frozenset(item.name for item in spec.objects if item.shape.startswith("set:"))
    return _described(_groups(spec, spec.objects), place_shown(spec.kind, spec.place, pieces), 0.0)[:_MAX_DESCRIPTION]


def substitutions_of(spec: SceneSpec) -> list[WordSubstitution]:
    """Return the words of the request of a scene for which something else was drawn."""
    return [WordSubstitution(requested=requested, built=built) for requested, built in spec.substitutions]


def _visible_instances(instances: Iterable[Instances]) -> dict[int, float]:
    """Return the numbers of the objects that can be seen in one of the pictures (H, W, 1), with their largest part."""
    visible: dict[int, float] = {}
    for picture in instances:
        numbers, counts = np.unique(np.round(picture).astype(int), return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if number and count >= _MIN_VISIBLE_FRACTION * picture.size:
                visible[number] = max(visible.get(number, 0.0), count / picture.size)
    return visible


def _countable(items: Sequence[ObjectSpec], fractions: Mapping[int, float]) -> list[ObjectSpec]:
    """Return the objects without those in the background that are too small to be counted beside others of their kind.

    ``fractions`` are the parts of the picture that they cover, by instance.
    """
    behind = sorted((item for item in items if item.role == "backdrop"), key=lambda item: fractions[item.instance])
    largest = {(item.name, item.material): item.instance for item in behind}
    return [
        item
        for item in items
        if item.role != "backdrop"
        or fractions[item.instance] >= _MIN_COUNTED_FRACTION
        or item.instance == largest[item.name, item.material]
    ]


def material_word(name: str, material: str) -> str:
    """Return the word for the material of a thing; "natural" for the one that things of this name have in nature."""
    return _NATURAL if NATURAL.get(name) == material else material


def _groups(spec: SceneSpec, items: Sequence[ObjectSpec]) -> list[_Group]:
    things = [item for item in items if not item.shape.startswith("set:")]
    boxes = {item.instance: _box_of(item) for item in things if item.role != "backdrop"}
    groups: dict[tuple[object, ...], _Group] = {}
    for item in sorted(things, key=lambda item: _rank(spec, item)):
        support = next((other for other in things if _stands_on(item, other, boxes)), None)
        material, is_backdrop = material_word(item.shape, item.material), item.role == "backdrop"
        key = (item.name, material, support and support.instance, is_backdrop)
        known = groups.get(key, _Group(item.name, material, (), support, is_backdrop))
        groups[key] = replace(known, items=(*known.items, item))
    return list(groups.values())


def _stands_on(item: ObjectSpec, other: ObjectSpec, boxes: Mapping[int, Box]) -> bool:
    are_near = item.instance in boxes and other.instance in boxes
    return are_near and boxes[item.instance].stands_on(boxes[other.instance])


def _rank(spec: SceneSpec, item: ObjectSpec) -> tuple[bool, int]:
    """Return the position of an object in the order of the request, what stands in the background last."""
    order = spec.subjects.index(item.name) if item.name in spec.subjects else len(spec.subjects)
    return item.role == "backdrop", order


def _box_of(item: ObjectSpec) -> Box:
    """Return the bounding box of an object of a scene; of an operator's mesh, a column of its height."""
    position = np.array(item.position)
    if item.shape == "asset":
        return Box(position, position + np.array([0.0, item.scale, 0.0]), item.position[1])
    lower, upper = Item(item.shape, item.material, item.seed, item.yaw_deg, item.scale).bounds()
    return Box(lower + position, upper + position, item.position[1])


def _described(groups: Sequence[_Group], place: str, azimuth_deg: float | None) -> str:
    """Return the description: things, what stands on them or beside them, the place, and what grows behind."""
    front = [group for group in groups if not group.is_backdrop]
    supported = [group for group in front if group.support is not None]
    free = [group for group in front if group.support is None]
    phrases = [_with_supported(group, supported) for group in free]
    joint = ""
    if len(free) == 2 and not supported and azimuth_deg is not None:
        boxes = [[_box_of(item) for item in group.items] for group in free]
        joint = relation(boxes[0], boxes[1], azimuth_deg)
    things = f"{phrases[0]} {joint} {phrases[1]}" if joint else listed(phrases)
    text = " ".join(part for part in (things, place) if part)
    behind = [_background_phrase(group, {group.name for group in front}) for group in groups if group.is_backdrop]
    return f"{text}, with {listed(behind)} in the background" if behind and things else text or listed(behind)


def _with_supported(group: _Group, supported: Sequence[_Group]) -> str:
    """Return the phrase of a group after those of the things that stand on it: "a vase on an oak table"."""
    numbers = {item.instance for item in group.items}
    above = [other.phrase for other in supported if other.support is not None and other.support.instance in numbers]
    if not above:
        return group.phrase
    return f"{listed(above)} on {group.phrase if len(group.items) == 1 else f'one of {group.phrase}'}"


def _background_phrase(group: _Group, names: set[str]) -> str:
    """Return the phrase of what stands in the background, where the number is hard to see."""
    more = "more " if group.name in names else ""
    if len(group.items) > 1:
        return f"{more}{plural(group.name)}"
    return f"another {group.name}" if more else with_article(group.name)
