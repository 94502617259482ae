"""Pictures under hand-made lights and under the prompter's, with all that the mesh says of them.

Everything goes through the services' own RPCs, as in a recipe.
"""

import contextlib
import io
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image
from truth_lights import NAMES, Files, hand_made

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill.common.v1 import (
    artifact_pb2,
    camera_pb2,
    intrinsics_pb2,
    light_pb2,
    model_pb2,
    model_pb2_grpc,
    scene_pb2,
)
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill_captioner.__main__ import captioner_service
from lumenmill_captioner.settings import CaptionerSettings
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.calls import call_heavy
from lumenmill_common.testing import running_service
from lumenmill_light.sources import kind_name, kind_of
from lumenmill_media import decode_exr
from lumenmill_prompter.__main__ import prompter_service
from lumenmill_prompter.settings import PrompterSettings
from lumenmill_studio.__main__ import studio_service
from lumenmill_studio.settings import StudioSettings

__all__ = ["Change", "Picture", "Pictures", "make_pictures", "store_url"]

_SIZE_PX = (256, 192)
_PRESET = "fast"
_KINDS = tuple(scene_pb2.SceneKind.values()[1:])
_MAPS = tuple(
    getattr(intrinsics_pb2.IntrinsicKind, f"INTRINSIC_KIND_{name}")
    for name in ("ALBEDO", "NORMALS", "DEPTH", "METALLIC", "INSTANCE_MASK")
)
# Smaller things cannot be recognised: as in the descriptions that studio returns.
_MIN_VISIBLE_FRACTION = 0.001


@dataclass(frozen=True)
class Picture:
    """One picture and what was said of it.

    Attributes:
        origin: `hand-made` or `prompter`.
        light_kind: kinds of the requested sources.
        refusal: why it was not rendered; then nothing else is set.
        caption: with maps, arrived and requested light; `alone`: of the display picture only.
        seen: names of the things that cover part of the picture.
        place: the surroundings, as the caption names them after the things.
        shown: the display picture (H, W, 3).
        instruction: from the first picture of the scene to this one; empty for the first.
        group: of the pictures of one scene.
        subject: the picture with its maps and its lights, as it was captioned.
    """

    origin: str
    name: str
    scene_kind: str
    light_kind: str
    refusal: str = ""
    arrived: light_pb2.ArrivedLight = field(default_factory=light_pb2.ArrivedLight)
    caption: captioner_pb2.CaptionResult = field(default_factory=captioner_pb2.CaptionResult)
    alone: captioner_pb2.CaptionResult = field(default_factory=captioner_pb2.CaptionResult)
    seen: tuple[str, ...] = ()
    place: str = ""
    shown: Any = None
    instruction: str = ""
    group: str = ""
    subject: captioner_pb2.Subject = field(default_factory=captioner_pb2.Subject)


@dataclass(frozen=True)
class Change:
    """An instruction from one light to another on one scene, and both lights as they arrived."""

    origin: str
    before: light_pb2.ArrivedLight
    after: light_pb2.ArrivedLight
    result: captioner_pb2.CompareLightResult


@dataclass
class Pictures:
    """All pictures and changes of one run."""

    pictures: list[Picture] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class _Mesh:
    store: ArtifactStore
    imager: imager_pb2_grpc.ImagerServiceStub
    relighter: relighter_pb2_grpc.RelighterServiceStub
    captioner: captioner_pb2_grpc.CaptionerServiceStub
    prompter: prompter_pb2_grpc.PrompterServiceStub
    maps: tuple[artifact_pb2.Artifact, ...]


async def make_pictures(num_pictures: int, seed: int, hdri: Path, folder: Path) -> Pictures:
    """Make about `num_pictures` pictures: half under hand-made lights, half under the prompter's.

    Args:
        num_pictures: number of pictures; groups of scenes are made whole.
        seed: of scenes and lights.
        hdri: folder of environment maps.
        folder: scratch folder of the store.
    """
    made = Pictures()
    async with _mesh(hdri, folder) as mesh:
        index = 0
        while len(made.pictures) < num_pictures:
            random = Random(f"{seed}/{index}")  # noqa: S311 - a choice of lights
            group = _hand_made_group if index % 2 == 0 else _prompted_group
            await group(mesh, made, index // 2, seed, random)
            index += 1
            sys.stderr.write(f"\r{len(made.pictures)}/{num_pictures} pictures ")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return made


def store_url(folder: Path) -> str:
    """Return the URL of the store in a scratch folder, in which the artifacts of all subjects are."""
    return f"file://{folder}/store"


@contextlib.asynccontextmanager
async def _mesh(hdri: Path, folder: Path) -> AsyncIterator[_Mesh]:
    common: dict[str, Any] = {"listen_address": "127.0.0.1:0", "metrics_address": "", "drain_s": 0.0}
    common["store_url"] = store_url(folder)
    studio = StudioSettings(**common, environment_maps_dir=hdri)
    captioner, prompter = CaptionerSettings(**common), PrompterSettings(**common)
    async with (
        running_service(studio_service(studio), studio) as to_studio,
        running_service(captioner_service(captioner), captioner) as to_captioner,
        running_service(prompter_service(prompter), prompter) as to_prompter,
    ):
        described = await model_pb2_grpc.ModelServiceStub(to_studio).GetModel(model_pb2.GetModelRequest())
        yield _Mesh(
            open_store_from(studio),
            imager_pb2_grpc.ImagerServiceStub(to_studio),
            relighter_pb2_grpc.RelighterServiceStub(to_studio),
            captioner_pb2_grpc.CaptionerServiceStub(to_captioner),
            prompter_pb2_grpc.PrompterServiceStub(to_prompter),
            tuple(described.model.environment_maps),
        )


async def _hand_made_group(mesh: _Mesh, made: Pictures, index: int, seed: int, random: Random) -> None:
    """Six hand-made lights on one scene that studio composes freely."""
    kind = _KINDS[index % len(_KINDS)]
    scene = scene_pb2.SceneDescription(kind=kind, seed=seed * 1000 + index)
    names = random.sample(NAMES, 6)
    files = Files(mesh.maps, _background(mesh.store, random))
    lights = [hand_made(name, random, files) for name in names]
    await _group(mesh, made, "hand-made", scene, "", lights[0], lights[1:], list(names))


async def _prompted_group(mesh: _Mesh, made: Pictures, index: int, seed: int, random: Random) -> None:
    """One prompt set with five further lights."""
    request = prompter_pb2.GeneratePromptSetsRequest(seed=seed)
    request.job.request_id = f"prompts-{seed}-{index}"
    request.brief.num_img_sets, request.brief.first_set_index = 1, index
    request.brief.num_relight_variants = 5
    request.brief.environment_maps.extend(mesh.maps)
    found = (await call_heavy(mesh.prompter.GeneratePromptSets, request)).prompt_sets[0]
    variants = [prompt.light for prompt in found.relight_prompts]
    names = [found.light.name, *(light.name for light in variants)]
    await _group(mesh, made, "prompter", found.scene, found.image_prompt, found.light, variants, names)


async def _group(
    mesh: _Mesh,
    made: Pictures,
    origin: str,
    scene: scene_pb2.SceneDescription,
    prompt: str,
    first: light_pb2.Light,
    others: Sequence[light_pb2.Light],
    names: Sequence[str],
) -> None:
    """Render a scene under its lights, caption every picture, and compare each with the first."""
    group = f"{origin}-{len(made.pictures)}"
    original = imager_pb2.GenerateImagesRequest(scene=scene, prompt=prompt, preset=_PRESET, seed=scene.seed)
    original.width_px, original.height_px = _SIZE_PX
    original.job.request_id = f"{group}-image"
    # The scene under its own light first: a hand-made key that cannot arrive must not lose the group.
    built = (await call_heavy(mesh.imager.GenerateImages, original)).images[0]
    relight = relighter_pb2.RelightRequest(scene=built.scene, image=built.image, preset=_PRESET)
    relight.job.request_id = f"{group}-relight"
    lights = [first, *others]
    for light in lights:
        relight.variants.add(light=light)
    relit = (await call_heavy(mesh.relighter.Relight, relight)).variants
    shared = await _maps(mesh, f"{group}-maps", built, light_pb2.Light())
    own = [light if any(source.HasField("background") for source in light.sources) else None for light in lights]
    # A background replaces the walls, so that its picture has maps of its own.
    maps = [
        await _maps(mesh, f"{group}-maps-{number}", built, light) if light else shared
        for number, light in enumerate(own)
    ]
    subjects = [_subject(variant, known[0], light) for variant, known, light in zip(relit, maps, lights, strict=True)]
    before = None
    for number, (variant, light, subject) in enumerate(zip(relit, lights, subjects, strict=True)):
        name = f"{group}-{number}"
        labels = origin, f"{names[number]}", scene_pb2.SceneKind.Name(scene.kind).removeprefix("SCENE_KIND_").lower()
        kinds = " + ".join(dict.fromkeys(kind_name(kind_of(source)) for source in light.sources))
        if variant.refusal:
            made.pictures.append(Picture(*labels, kinds, refusal=variant.refusal))
            continue
        caption = await _caption(mesh, name, subject)
        alone = await _caption(mesh, f"{name}-alone", captioner_pb2.Subject(media=variant.image))
        place = variant.built_scene.place.lower()
        shown = np.asarray(Image.open(io.BytesIO(mesh.store.read_bytes(variant.image))).convert("RGB"))
        result = captioner_pb2.CompareLightResult()
        if before is not None:
            request = captioner_pb2.CompareLightRequest(before=before, after=subject, seed=number)
            request.job.request_id = f"{name}-change"
            result = await call_heavy(mesh.captioner.CompareLight, request)
            made.changes.append(Change(origin, before.arrived_light, subject.arrived_light, result))
        before = subject if before is None else before
        known, seen = variant.arrived_light, maps[number][1]
        texts = (caption, alone, seen, place, shown, result.instruction)
        made.pictures.append(Picture(*labels, kinds, "", known, *texts, group, subject))


def _subject(
    variant: relighter_pb2.RelitImage,
    maps: Sequence[intrinsics_pb2.IntrinsicMap],
    requested: light_pb2.Light,
) -> captioner_pb2.Subject:
    camera = variant.record.camera if variant.record.HasField("camera") else camera_pb2.Camera()
    return captioner_pb2.Subject(
        media=variant.image,
        linear=variant.linear,
        intrinsics=maps,
        requested_light=requested,
        arrived_light=variant.arrived_light,
        camera=camera,
        built_scene=variant.built_scene,
    )


async def _caption(mesh: _Mesh, name: str, subject: captioner_pb2.Subject) -> captioner_pb2.CaptionResult:
    request = captioner_pb2.CaptionRequest(subject=subject, seed=len(name) + sum(map(ord, name)))
    request.job.request_id = f"{name}-caption"
    result: captioner_pb2.CaptionResult = await call_heavy(mesh.captioner.Caption, request)
    return result


async def _maps(
    mesh: _Mesh, name: str, built: imager_pb2.GeneratedImage, light: light_pb2.Light
) -> tuple[list[intrinsics_pb2.IntrinsicMap], tuple[str, ...]]:
    """Return the maps that captions are measured with, and the names of the things that can be seen."""
    request = relighter_pb2.DecomposeRequest(image=built.image, scene=built.scene, preset=_PRESET, kinds=_MAPS)
    if light.sources:
        request.light.CopyFrom(light)
    request.job.request_id = name
    maps = list((await call_heavy(mesh.relighter.Decompose, request)).maps)
    mask = decode_exr(mesh.store.read_bytes(maps[-1].data), _SIZE_PX[0] * _SIZE_PX[1])[..., 0]
    spec = json.loads(mesh.store.read_bytes(built.scene))
    parts = {item["instance"]: float((mask == item["instance"]).mean()) for item in spec["objects"]}
    seen = {item["name"] for item in spec["objects"] if parts[item["instance"]] >= _MIN_VISIBLE_FRACTION}
    return maps[:-1], tuple(sorted(seen))


def _background(store: ArtifactStore, random: Random) -> artifact_pb2.Artifact:
    """Return a picture that is bright on one side and dark on the other, as the light of a background."""
    bright = np.linspace(0.05, 1.0, 96) if random.random() < 0.5 else np.linspace(1.0, 0.05, 96)
    pixels = np.repeat((255 * bright[None, :, None]).astype(np.uint8), 64, axis=0).repeat(3, axis=2)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return store.put_bytes(buffer.getvalue(), "image/png")
