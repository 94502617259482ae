"""`decompose`: the intrinsic maps of an image or scene."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill_client._client import Client
from lumenmill_client.command._context import AsJson
from lumenmill_client.command._enum_names import enum_name
from lumenmill_client.command._model_call import model_call, print_files
from lumenmill_client.command._model_options import (
    HeightOfMapsPx,
    Lights,
    ModelName,
    Preset,
    RequestId,
    Seed,
    WidthOfMapsPx,
)
from lumenmill_client.command._output import document_of
from lumenmill_client.command._stored import find_artifact, names_artifact
from lumenmill_common.artifacts import extension_of, media_type_of
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["register"]

_SCENE = media_type_of("any.scene.json")
_SOURCES = "a file, or the URI or digest of an artifact in the store"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(decompose)


def decompose(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help=f"Image or scene: {_SOURCES}.")],
    scene: Annotated[
        str, typer.Option(help=f"Scene of the image, for models that render: {_SOURCES}.", show_default=False)
    ] = "",
    out: Annotated[
        Path, typer.Option("--out", "-o", file_okay=False, help="Folder of the maps and their previews.")
    ] = Path("maps"),
    light: Lights = None,
    width_px: WidthOfMapsPx = 0,
    height_px: HeightOfMapsPx = 0,
    preset: Preset = "",
    model: ModelName = "",
    seed: Seed = 0,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Write the intrinsic maps of an image or scene, such as albedo, normals and depth, into a folder.

    Examples: lumenmill decompose render/image-0.scene.json --preset fast;
    lumenmill decompose photo.jpg --model marigold --out maps --json
    """
    with model_call(context.obj, "decomposing", request_id, preset=preset, model=model, seed=seed) as call:
        image, scene_of_image = _inputs(call.client, source, scene)
        result = call.client.decompose(
            image,
            scene=scene_of_image,
            light=call.light(light),
            width_px=width_px,
            height_px=height_px,
            **call.options,
        )
        files = []
        for entry in result.maps:
            stem = out / enum_name(IntrinsicKind, entry.kind).replace("-", "_")  # as in samples and exports
            files.append(call.save(entry.data, stem))
            if entry.HasField("preview"):
                files.append(call.save(entry.preview, stem))
    print_files(files, document_of(result), as_json)


def _inputs(client: Client, source: str, scene: str) -> tuple[Artifact | None, Artifact | None]:
    """Return image and scene; a source that is a scene has no image.

    Raises:
        InvalidArgumentError: the source is a clip, or a scene beside another one.
        NotFoundError: the store has no such artifact.
    """
    found = _artifact(client, source, "source")
    if found.media_type.startswith("video/"):
        raise InvalidArgumentError("source", "is a clip; give an image or a scene")
    if found.media_type == _SCENE:
        if scene:
            raise InvalidArgumentError("--scene", "is for images, and the source is a scene; leave one of them out")
        return None, found
    return (_with_size(client, found), _artifact(client, scene, "--scene")) if scene else (found, None)


def _artifact(client: Client, named: str, argument: str) -> Artifact:
    is_stored = names_artifact(named) and not Path(named).exists()
    return find_artifact(client, named, argument) if is_stored else client.upload(named)


def _with_size(client: Client, image: Artifact) -> Artifact:
    """Return an image with its facts, such as the size, which models that render maps from a scene need.

    Those of an artifact that was named by its digest come with an upload of the same bytes, which stores nothing new.
    """
    if not image.HasField("image"):
        with tempfile.TemporaryDirectory() as folder:
            copy = client.download(image, Path(folder) / f"image{extension_of(image.media_type)}")
            image.image.CopyFrom(client.upload(copy).image)
    return image
