"""Compose a scene specification from a description and a seed."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from google.protobuf import json_format

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import Light, LightSource
from lumenmill.common.v1.scene_pb2 import SceneDescription
from lumenmill_light.requesting import light_of_words
from lumenmill_light.source_attributes import source_attributes
from lumenmill_studio.light.description import described
from lumenmill_studio.scenes.built import description_of, material_word
from lumenmill_studio.scenes.composition import Composition, Rng
from lumenmill_studio.scenes.description import SceneRequest, read_description
from lumenmill_studio.scenes.outdoor import outdoor
from lumenmill_studio.scenes.portrait import portrait
from lumenmill_studio.scenes.room import room
from lumenmill_studio.scenes.shapes import build_shape
from lumenmill_studio.scenes.spec import ObjectSpec, SceneSpec
from lumenmill_studio.scenes.still_life import still_life
from lumenmill_studio.scenes.vocabulary import OUTDOOR, PORTRAIT, ROOM, STILL_LIFE

__all__ = ["compose", "field_of_light"]

# The name of a default light that words asked for.
_WORDS = "words"
_COMPOSERS: dict[str, Callable[[SceneRequest, Rng], Composition]] = {
    STILL_LIFE: still_life,
    ROOM: room,
    PORTRAIT: portrait,
    OUTDOOR: outdoor,
}


def compose(
    scene: SceneDescription,
    prompt: str,
    seed: int,
    meshes: Mapping[str, Artifact] | None = None,
    *,
    substitute: bool = False,
    scene_field: str = "scene",
) -> SceneSpec:
    """Return the scene of a description, or of a prompt where the description has no text.

    Equal arguments give equal scenes: both seeds together determine what the words leave open. ``meshes`` are those of
    the operator by name; a subject of that name is built from its mesh. Errors and ``substitute`` as
    :func:`read_description`; ``scene_field`` is the field of the request that holds the description. The default light
    is the one that the words ask for, if they ask for one.
    """
    digest = hashlib.sha256(f"{scene.seed}/{seed}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    request = read_description(
        scene, prompt, rng, own=frozenset(meshes or {}), substitute=substitute, scene_field=scene_field
    )
    composition = _COMPOSERS[request.kind](request, rng)
    objects = _with_own_meshes(composition.objects, request, meshes or {})
    chosen = _default_light(request, rng)
    light = _light_of_words(scene, prompt, request.kind) or chosen
    spec = SceneSpec(
        kind=request.kind,
        seed=seed,
        description="",
        subjects=tuple(own or item[0] for own, item in zip(request.own, request.items, strict=True)),
        materials=tuple(material_word(name, material) for name, material in request.items),
        place=request.place,
        camera=composition.camera,
        subject_radius=composition.subject_radius,
        objects=objects,
        default_light=json_format.MessageToDict(light),
        substitutions=request.substitutions,
    )
    return replace(spec, description=description_of(spec))


def _with_own_meshes(
    objects: tuple[ObjectSpec, ...], request: SceneRequest, meshes: Mapping[str, Artifact]
) -> tuple[ObjectSpec, ...]:
    """Return the objects; meshes of the operator replace the stand-ins of their name."""
    built = list(objects)
    for name, pair in zip(request.own, request.items, strict=True):
        index = next((i for i, item in enumerate(built) if (item.shape, item.material) == pair), None)
        if not name or index is None:
            continue
        item, artifact = built[index], meshes[name]
        height = float(max(part.mesh.upper[1] for part in build_shape(item.shape, item.seed))) * item.scale
        built[index] = replace(
            item, name=name, shape="asset", scale=round(height, 5), asset_uri=artifact.uri, asset_sha256=artifact.sha256
        )
    return tuple(built)


def field_of_light(spec: SceneSpec, prompt: str, scene_field: str) -> str:
    """Return the field of a request whose words ask for the default light of its scene; empty if none do.

    Arguments are those of :func:`compose`, and the scene that it returned.
    """
    if spec.light().name != _WORDS:
        return ""
    return "prompt" if _light_asked_for(prompt, spec.kind) is not None else f"{scene_field}.description"


def _light_of_words(scene: SceneDescription, prompt: str, kind: str) -> Light | None:
    """Return the light that the prompt, else the description asks for; ``None`` if neither does."""
    for text in (prompt, scene.description):
        light = _light_asked_for(text, kind)
        if light is not None:
            light.name = _WORDS
            light.text = described(light, [source_attributes(source) for source in light.sources])
            return light
    return None


def _light_asked_for(text: str, kind: str) -> Light | None:
    return light_of_words(text, outdoor=kind == OUTDOOR, wall_behind=kind in (STILL_LIFE, PORTRAIT))


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
