"""From a description and a seed to a scene specification."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from google.protobuf import json_format
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import Light, LightSource
from lumenmill.common.v1.scene_pb2 import SceneDescription
from lumenmill_light.attributes import source_attributes

from lumenmill_studio.light.description import described
from lumenmill_studio.scenes.composers import COMPOSERS
from lumenmill_studio.scenes.shapes import build_shape
from lumenmill_studio.scenes.spec import ObjectSpec, SceneSpec
from lumenmill_studio.scenes.vocabulary import OUTDOOR, PORTRAIT, ROOM, Wanted, read_description

Rng = np.random.Generator


def compose(scene: SceneDescription, prompt: str, seed: int, meshes: Mapping[str, Artifact] | None = None) -> SceneSpec:
    """The scene for a description, a prompt that may stand in for one, and a seed. Equal arguments give equal scenes.

    ``SceneDescription.seed`` and ``seed`` are mixed; what words leave open follows from them. ``meshes`` are the
    operator's
    own by name: a subject of that name is built from it instead.
    """
    digest = hashlib.sha256(f"{scene.seed}/{seed}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    wanted = read_description(scene, prompt, rng)
    composition = COMPOSERS[wanted.kind](wanted, rng)
    objects, names = _with_own_meshes(
        composition.objects, [word.lower() for word in scene.subjects], wanted, meshes or {}
    )
    light = _default_light(wanted, rng)
    return SceneSpec(
        kind=wanted.kind, seed=seed, description=_caption(Wanted(wanted.kind, names, wanted.place)),
            subjects=tuple(name for name, _ in names),
        materials=tuple(_material_word(material) for _, material in wanted.items), place=wanted.place,
            camera=composition.camera,
        subject_radius=composition.subject_radius, objects=objects, default_light=json_format.MessageToDict(light),
    )  # fmt: skip


def _with_own_meshes(
    objects: tuple[ObjectSpec, ...], words: Sequence[str], wanted: Wanted, meshes: Mapping[str, Artifact]
) -> tuple[tuple[ObjectSpec, ...], tuple[tuple[str, str], ...]]:
    """The objects with the operator's meshes in the places of subjects that were named after them."""
    built, names = list(objects), list(wanted.items)
    for word, (stand_in, material) in zip(words, wanted.items, strict=False):
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


_PLURALS = {"box": "boxes", "bench": "benches", "torus knot": "torus knots", "branch": "branches",
    "stack of books": "stacks of books", "arch": "arches",
            "bookshelf": "bookshelves", "stacked stones": "cairns of stacked stones",
                "cypress": "cypresses"}  # fmt: skip


def _caption(wanted: Wanted) -> str:
    counted = Counter(wanted.items)
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
    return f"{listed} {wanted.place}"


_NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five"}


def _default_light(wanted: Wanted, rng: Rng) -> Light:
    side = -1.0 if rng.random() < 0.6 else 1.0
    light = Light(name="default")
    if wanted.kind in (OUTDOOR, ROOM):
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
        if wanted.kind == PORTRAIT:
            light.sources.append(
                _area(-side * float(rng.uniform(125, 150)), 35.0, 1.0, 2.2, float(rng.uniform(6000, 8500)))
            )
        light.sources.append(_area(-side * 55.0, 30.0, 4.0, 0.16 if wanted.kind == PORTRAIT else 0.28, 6500.0))
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
