"""The production readers of each kind of file, called as services and the command call them."""

from collections.abc import Callable
from pathlib import Path

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_client._text_files import read_lines
from lumenmill_client.command._parameters import parse_parameters
from lumenmill_client.command._prompt_files import read_prompt_sets
from lumenmill_common.artifacts import ArtifactStore, media_type_of_content, open_store
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import (
    iter_frames,
    probe_clip,
    read_clip,
    read_map,
    read_map_sequence,
    read_picture,
    read_radiance_map,
    read_rgb,
)
from lumenmill_orchestrator.media_facts import facts_of_upload
from lumenmill_orchestrator.recipe import check_recipe, recipe_plan
from lumenmill_studio.assets import Assets
from lumenmill_studio.light.basis import unpacked
from lumenmill_studio.render.variant import find_variant, use_variant
from lumenmill_studio.scenes.spec import ObjectSpec

from .valid_files import SCENE_SHA256

__all__ = ["READERS"]

_FIELD = "file"
_MAX_FRAMES = 10_000

Reader = Callable[[Path], object]


def _of_artifact(read: Callable[[ArtifactStore, Artifact], object]) -> Reader:
    """Return a reader of a path from one of an artifact, which has the bytes inline."""

    def read_path(path: Path) -> object:
        store = open_store((path.parent / "store").as_uri())
        return read(store, Artifact(inline_data=path.read_bytes()))

    return read_path


def _background(store: ArtifactStore, artifact: Artifact) -> object:
    stored = store.put_bytes(artifact.inline_data, "image/png")
    return Assets(store, None, None).read(stored, _FIELD)


def _mesh(path: Path) -> object:
    store = open_store((path.parent / "store").as_uri())
    media_types = {".obj": "model/obj", ".ply": "model/ply", ".glb": "model/gltf-binary"}
    artifact = store.put_file(path, media_types[path.suffix])
    spec = ObjectSpec("it", "asset", "clay", 0, 1, asset_uri=artifact.uri, asset_sha256=artifact.sha256)
    return Assets(store, None, None).parts(spec)


def _facts(path: Path) -> object:
    """Read the facts of an upload, as ArtifactService does."""
    return facts_of_upload(path, media_type_of_content(path.read_bytes()[:512], "application/octet-stream", _FIELD))


def _prompts(path: Path) -> object:
    return read_prompt_sets(path, _FIELD)


def _lines(path: Path) -> object:
    return read_lines(path, _FIELD)


def _recipe(path: Path) -> object:
    """Read a recipe as `lumenmill run` does, and check and plan it as the orchestrator does.

    Raises:
        InvalidArgumentError: it is not text, or it has problems.
    """
    parse_parameters(path, ["width=16"], lambda _: Artifact())
    checked = check_recipe(path.read_bytes().decode(errors="replace"), "recipe.yaml", {}, None)
    plan = recipe_plan(checked, lambda _: None, {})
    if plan.problems:
        raise InvalidArgumentError(_FIELD, plan.problems[0].message)
    return plan


_PICTURE = _of_artifact(lambda store, artifact: read_picture(store, artifact, _FIELD))
_FLOAT_IMAGES = (
    _PICTURE,
    _of_artifact(lambda store, artifact: read_radiance_map(store, artifact, _FIELD)),
    _of_artifact(_background),
)

# Mitsuba's reader of OBJ needs a variant.
use_variant(find_variant("scalar"))

READERS: dict[str, tuple[Reader, ...]] = {
    "still": (
        _PICTURE,
        _of_artifact(lambda store, artifact: read_rgb(store, artifact, _FIELD)),
        _of_artifact(_background),
        _facts,
    ),
    "exr": (*_FLOAT_IMAGES, _of_artifact(lambda store, artifact: read_map(store, artifact, _FIELD)), _facts),
    "radiance": (*_FLOAT_IMAGES, _facts),
    "clip": (
        _of_artifact(lambda store, artifact: read_clip(store, artifact, _FIELD, 3)),
        _of_artifact(lambda store, artifact: probe_clip(store, artifact, _FIELD, _MAX_FRAMES)),
        _of_artifact(lambda store, artifact: sum(1 for _ in iter_frames(store, artifact, _FIELD))),
        _facts,
    ),
    "map-sequence": (_of_artifact(lambda store, artifact: read_map_sequence(store, artifact, _FIELD, {0, 1})),),
    "light-basis": (lambda path: unpacked(path.read_bytes(), SCENE_SHA256),),
    "mesh": (_mesh,),
    "prompts": (_prompts, _lines),
    "recipe": (_recipe,),
}
"""All readers of a kind of file. They return what is in a file or raise InvalidArgumentError."""
