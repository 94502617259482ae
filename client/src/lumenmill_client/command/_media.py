"""`caption`, `render`, `relight`, `prompts`: one call each, without a recipe."""

from pathlib import Path
from typing import Annotated

import typer
from rich.status import Status

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.scene_pb2 import UNKNOWN_WORDS_REFUSE, UNKNOWN_WORDS_SUBSTITUTE
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill_client._client import Client
from lumenmill_client._events import OnProgress, ProgressEvent
from lumenmill_client.command._context import AsJson
from lumenmill_client.command._light_option import LIGHT_HELP, parse_light
from lumenmill_client.command._output import notes, print_json, print_message, print_text, to_dict
from lumenmill_common.artifacts import extension_of
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["register"]

Lights = Annotated[list[str] | None, typer.Option("--light", "-l", help=LIGHT_HELP)]
Preset = Annotated[str, typer.Option(help="Preset of the model; `lumenmill models` shows them.")]
ModelName = Annotated[str, typer.Option("--model", help="Name of the model. Default: the first suitable one.")]
Seed = Annotated[int, typer.Option(min=0, max=2**64 - 1, help="Seed.")]
RequestId = Annotated[str, typer.Option(help="Id of the call; an earlier id attaches to its running or finished job.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (caption, render, relight, prompts):
        app.command()(command)


def caption(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Image or clip.")],
    model: ModelName = "",
    seed: Seed = 0,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Caption an image or clip, and measure its light.

    Example: lumenmill caption photo.jpg --json
    """
    with context.obj.client() as client, notes.status("captioning") as line:
        result = client.caption(
            file, model=model, seed=seed, request_id=request_id, on_progress=_progress_printer(line)
        )
    if as_json:
        print_message(result)
    else:
        print_text(result.text)


def render(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="Content of the images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the images and their scenes.")] = Path("render"),
    light: Lights = None,
    width_px: Annotated[
        int, typer.Option("--width", min=0, max=16384, help="Width in pixels. Default: that of the preset.")
    ] = 0,
    height_px: Annotated[
        int, typer.Option("--height", min=0, max=16384, help="Height in pixels. Default: that of the preset.")
    ] = 0,
    num_images: Annotated[int, typer.Option("--num", "-n", min=1, max=64, help="Number of images.")] = 1,
    substitute: Annotated[
        bool, typer.Option("--substitute", help="For words that cannot be drawn, draw the nearest thing.")
    ] = False,
    preset: Preset = "",
    model: ModelName = "",
    seed: Seed = 0,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Generate images of a prompt.

    Example: lumenmill render "a copper kettle on an oak table" --light area:azimuth_deg=-60,irradiance=4 --seed 7
    """
    with context.obj.client() as client, notes.status("rendering") as line:
        result = client.render(
            prompt,
            light=parse_light(client, light or []),
            width_px=width_px,
            height_px=height_px,
            num_images=num_images,
            unknown_words=UNKNOWN_WORDS_SUBSTITUTE if substitute else UNKNOWN_WORDS_REFUSE,
            preset=preset,
            model=model,
            seed=seed,
            request_id=request_id,
            on_progress=_progress_printer(line),
        )
        files = []
        for index, image in enumerate(result.images):
            files.append(_save(client, image.image, out / f"image-{index}"))
            if image.HasField("scene"):
                files.append(_save(client, image.scene, out / f"image-{index}"))
    exchanged = {(each.requested, each.built) for image in result.images for each in image.record.substitutions}
    for requested, built in sorted(exchanged):
        notes.print(f"drew {built or 'nothing'} for {requested}", markup=False)
    _print_files(files, to_dict(result), as_json)


def relight(
    context: typer.Context,
    scene: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Scene file, as `lumenmill render` wrote it.")
    ] = None,
    image: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Image to relight.")] = None,
    light: Lights = None,
    edit: Annotated[str, typer.Option(help="Instruction, for text-guided models.")] = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the image.")] = Path("relit"),
    preset: Preset = "",
    model: ModelName = "",
    seed: Seed = 0,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Relight an image or a scene.

    Example: lumenmill relight --scene render/image-0.scene.json --light sun_sky:sun_azimuth_deg=90,sun_elevation_deg=8
    """
    with context.obj.client() as client, notes.status("relighting") as line:
        variant = relighter_pb2.RelightVariant(light=parse_light(client, light or []), edit_prompt=edit)
        result = client.relight(
            image,
            [variant],
            scene=client.upload(scene) if scene else None,
            preset=preset,
            model=model,
            seed=seed,
            request_id=request_id,
            on_progress=_progress_printer(line),
        )
        refusals = [entry.refusal for entry in result.variants if entry.refusal]
        if refusals:
            raise InvalidArgumentError("--light", refusals[0])
        files = [_save(client, entry.image, out / f"image-{index}") for index, entry in enumerate(result.variants)]
    _print_files(files, to_dict(result), as_json)


def prompts(
    context: typer.Context,
    theme: Annotated[str, typer.Argument(help="Theme of the images. Default: any.")] = "",
    num_img_sets: Annotated[int, typer.Option("--num", "-n", min=1, help="Number of prompt sets.")] = 3,
    num_relight_variants: Annotated[
        int, typer.Option("--relights", min=0, max=32, help="Number of lights in each set.")
    ] = 3,
    num_video_variants: Annotated[
        int, typer.Option("--motions", min=0, max=32, help="Number of motions in each set.")
    ] = 1,
    model: ModelName = "",
    seed: Seed = 0,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Write prompt sets: an image, its lights and its motions, in words and structured.

    Example: lumenmill prompts "kitchens" --num 5 --json > kitchens.json
    """
    brief = prompter_pb2.Brief(
        theme=theme,
        num_img_sets=num_img_sets,
        num_relight_variants=num_relight_variants,
        num_video_variants=num_video_variants,
    )
    with context.obj.client() as client, notes.status("writing") as line:
        result = client.prompts(
            brief, model=model, seed=seed, request_id=request_id, on_progress=_progress_printer(line)
        )
    if as_json:
        print_message(result)
        return
    for prompt_set in result.prompt_sets:
        print_text(prompt_set.image_prompt)
        for relighting in prompt_set.relight_prompts:
            print_text(f"  light:  {relighting.text}")
        for motion in prompt_set.motion_prompts:
            print_text(f"  motion: {motion.text}")


def _progress_printer(line: Status) -> OnProgress:
    printed = ""

    def show(event: ProgressEvent) -> None:
        nonlocal printed
        steps = f" {event.step}/{event.total}" if event.total else ""
        line.update(f"{event.stage}{steps}")
        if not notes.is_terminal and event.stage != printed:
            printed = event.stage
            notes.print(f"{event.stage} …")

    return show


def _save(client: Client, artifact: Artifact, stem: Path) -> Path:
    return client.download(artifact, stem.with_name(stem.name + extension_of(artifact.media_type)))


def _print_files(files: list[Path], result: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json({"files": [str(file) for file in files], "result": result})
    else:
        for file in files:
            print_text(str(file))
