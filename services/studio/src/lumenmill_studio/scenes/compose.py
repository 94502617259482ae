"""Compose a scene specification from a description and a seed."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from google.protobuf import json_format

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import Light, LightSource
from lumenmill.common.v1.scene_pb2 import SceneDescription
from lumenmill_light.attributes import source_attributes
from lumenmill_studio.light.description import described
from lumenmill_studio.scenes.composition import Composition, Rng
from lumenmill_studio.scenes.description import SceneRequest, read_description
from lumenmill_studio.scenes.outdoor import outdoor
from lumenmill_studio.scenes.portrait import portrait
from lumenmill_studio.scenes.room import room
from lumenmill_studio.scenes.shapes import build_shape
from lumenmill_studio.scenes.spec import ObjectSpec, SceneSpec
from lumenmill_studio.scenes.still_life import still_life
from lumenmill_studio.scenes.vocabulary import OUTDOOR, PORTRAIT, ROOM, STILL_LIFE

__all__ = ["compose"]

_COMPOSERS: dict[str, Callable[[SceneRequest, Rng], Composition]] = {
    STILL_LIFE: still_life,
    ROOM: room,
    PORTRAIT: portrait,
    OUTDOOR: outdoor,
}


def compose(scene: SceneDescription, prompt: str, seed: int, meshes: Mapping[str, Artifact] | None = None) -> SceneSpec:
    """Return the scene of a description, or of a prompt where the description has no text.

    Equal arguments give equal scenes: both seeds together determine what the words leave open. ``meshes`` are those of
    the operator by name; a subject of that name is built from its mesh.
    """
    digest = hashlib.sha256(f"{scene.seed}/{seed}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    request = read_description(scene, prompt, rng)
    composition = _COMPOSERS[request.kind](request, rng)
    objects, names = _with_own_meshes(
        composition.objects, [word.lower() for word in scene.subjects], request, meshes or {}
    )
    light = _default_light(request, rng)
    return SceneSpec(
        kind=request.kind,
        seed=seed,
        description=_caption(SceneRequest(request.kind, names, request.place)),
        subjects=tuple(name for name, _ in names),
        materials=tuple(_material_word(material) for _, material in request.items),
        place=request.place,
        camera=composition.camera,
        subject_radius=composition.subject_radius,
        objects=objects,
        default_light=json_format.MessageToDict(light),
    )


def _with_own_meshes(
    objects: tuple[ObjectSpec, ...], words: Sequence[str], request: SceneRequest, meshes: Mapping[str, Artifact]
) -> tuple[tuple[ObjectSpec, ...], tuple[tuple[str, str], ...]]:
    """Return the objects and their names; meshes of the operator replace subjects of their name."""
    built, names = list(objects), list(request.items)
    for word, (stand_in, material) in zip(words, request.items, strict=False):
        if word not in meshes:
            continue
        index = next((i for i, item in enumerate(built) if item.role == "subject" and item.shape == stand_in), None)
        if index is None:
            continue
        item, artifact = built[index], meshes[word]
        height = float(max(part.mesh.upper[1] for part in build_shape(item.shape, item.seed))) * item.scale
        built[index] = replace(
            item, name=word, shape="asset", scale=round(height, 5), asset_uri=artifact.uri, asset_sha256=artifact.sha256
        )
        names[names.index((stand_in, material))] = (word, material)
    return tuple(built), tuple(names)


def _material_word(material: str) -> str:
    return (
        "natural"
        if material.endswith("skin") or material in ("bark", "shell", "pebble stone", "rock", "eggshell")
        else material
    )


_PLURALS = {
    "box": "boxes",
    "bench": "benches",
    "torus knot": "torus knots",
    "branch": "branches",
    "stack of books": "stacks of books",
    "arch": "arches",
    "bookshelf": "bookshelves",
    "stacked stones": "cairns of stacked stones",
    "cypress": "cypresses",
}


def _caption(request: SceneRequest) -> str:
    counted = Counter(request.items)
    phrases = []
    for (name, material), number in counted.items():
        word = _material_word(material)
        adjective = (
            ""
            if word == "natural"
            or material.endswith("cloth")
            or name in ("rug", "painting", "branch", "tree", "cypress")
            else f"{word} "
        )
        if number == 1:
            noun = "cairn of stacked stones" if name == "stacked stones" else name
            phrase = f"{adjective}{noun}"
            phrases.append(f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}")
        else:
            phrases.append(f"{_NUMBER_WORDS.get(number, str(number))} {adjective}{_PLURALS.get(name, name + 's')}")
    listed = phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"
    return f"{listed} {request.place}"


_NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five"}


def _default_light(request: SceneRequest, rng: Rng) -> Light:
    side = -1.0 if rng.random() < 0.6 else 1.0
    light = Light(name="default")
    if request.kind in (OUTDOOR, ROOM):
        sun = light.sources.add().sun_sky
        sun.sun_azimuth_deg = round(side * float(rng.uniform(45, 110)), 1)
        sun.sun_elevation_deg = round(float(rng.uniform(18, 48)), 1)
        sun.turbidity = 3.0
    else:
        key = light.sources.add().area
        key.azimuth_deg, key.elevation_deg = (
            round(side * float(rng.uniform(40, 75)), 1),
            round(float(rng.uniform(25, 50)), 1),
        )
        key.distance_ratio, key.width_ratio, key.irradiance = 4.0, round(float(rng.uniform(0.7, 1.5)), 2), 3.2
        key.color.temperature_k = round(float(rng.uniform(4000, 5600)))
        if request.kind == PORTRAIT:
            light.sources.append(
                _area(-side * float(rng.uniform(125, 150)), 35.0, 1.0, 2.2, float(rng.uniform(6000, 8500)))
            )
        light.sources.append(_area(-side * 55.0, 30.0, 4.0, 0.16 if request.kind == PORTRAIT else 0.28, 6500.0))
    light.text = described(light, [source_attributes(source) for source in light.sources])
    return light


def _area(
    azimuth_deg: float, elevation_deg: float, width_ratio: float, irradiance: float, temperature_k: float
) -> LightSource:
    source = LightSource()
    area = source.area
    area.azimuth_deg, area.elevation_deg, area.distance_ratio = round(azimuth_deg, 1), elevation_deg, 4.0
    area.width_ratio, area.irradiance = width_ratio, round(irradiance, 3)
    area.color.temperature_k = round(temperature_k)
    return source
