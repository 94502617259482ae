"""`caption`, `render`, `relight`, `prompts`: one call each, without a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from lumenmill.prompter.v1 import prompter_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill_client.command._context import AsJson
from lumenmill_client.command._model_call import model_call, print_files, print_substitutions
from lumenmill_client.command._model_options import (
    HeightPx,
    Lights,
    ModelName,
    Preset,
    RequestId,
    Seed,
    Substitute,
    WidthPx,
    unknown_words,
)
from lumenmill_client.command._output import document_of, print_message, print_text
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["register"]


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
    with model_call(context.obj, "captioning", request_id, model=model, seed=seed) as call:
        result = call.client.caption(file, **call.options)
    if as_json:
        print_message(result)
    else:
        print_text(result.text)


def render(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="Content of the images.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", file_okay=False, help="Folder of the images and their scenes.")
    ] = Path("render"),
    light: Lights = None,
    width_px: WidthPx = 0,
    height_px: HeightPx = 0,
    num_images: Annotated[int, typer.Option("--num", "-n", min=1, max=64, help="Number of images.")] = 1,
    substitute: Substitute = False,
    preset: Preset = "",
    model: ModelName = "",
    seed: Seed = 0,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Generate images of a prompt.

    Example: lumenmill render "a copper kettle on an oak table" --light area:azimuth_deg=-60,irradiance=4 --seed 7
    """
    if not prompt.strip():
        raise InvalidArgumentError(
            "prompt", 'is blank; for example: lumenmill render "a copper kettle on an oak table"'
        )
    with model_call(context.obj, "rendering", request_id, preset=preset, model=model, seed=seed) as call:
        result = call.client.render(
            prompt,
            light=call.light(light),
            width_px=width_px,
            height_px=height_px,
            num_images=num_images,
            unknown_words=unknown_words(substitute),
            **call.options,
        )
        files = []
        for index, image in enumerate(result.images):
            files.append(call.save(image.image, out / f"image-{index}"))
            if image.HasField("scene"):
                files.append(call.save(image.scene, out / f"image-{index}"))
    print_substitutions(image.record for image in result.images)
    print_files(files, document_of(result), as_json)


def relight(
    context: typer.Context,
    scene: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Scene file, as `lumenmill render` wrote it.")
    ] = None,
    image: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Image to relight.")] = None,
    light: Lights = None,
    edit: Annotated[str, typer.Option(help="What to change, for models of instructions.")] = "",
    describe: Annotated[str, typer.Option(help="What is to be seen, for models of descriptions.")] = "",
    out: Annotated[Path, typer.Option("--out", "-o", file_okay=False, help="Folder of the image.")] = Path("relit"),
    preset: Preset = "",
    model: ModelName = "",
    seed: Seed = 0,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Relight an image or a scene.

    Example: lumenmill relight --scene render/image-0.scene.json --light sun_sky:sun_azimuth_deg=90,sun_elevation_deg=8
    """
    if not (light or edit.strip() or describe.strip()):
        raise InvalidArgumentError("--light", "is missing; give the new light, or words in --edit or --describe")
    if scene is None and image is None:
        raise InvalidArgumentError("--image", "is missing; give an image, or a scene in --scene")
    with model_call(context.obj, "relighting", request_id, preset=preset, model=model, seed=seed) as call:
        variant = relighter_pb2.RelightVariant(light=call.light(light), edit_prompt=edit, description=describe)
        result = call.client.relight(
            image,
            [variant],
            scene=call.client.upload(scene) if scene else None,
            **call.options,
        )
        refusals = [entry.refusal for entry in result.variants if entry.refusal]
        if refusals:
            raise InvalidArgumentError("--light", refusals[0])
        files = [call.save(entry.image, out / f"image-{index}") for index, entry in enumerate(result.variants)]
    print_files(files, document_of(result), as_json)


def prompts(
    context: typer.Context,
    theme: Annotated[str, typer.Argument(help="Theme of the images. Default: any.")] = "",
    num_img_sets: Annotated[int, typer.Option("--num", "-n", min=1, max=100_000, help="Number of prompt sets.")] = 3,
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
    with model_call(context.obj, "writing", request_id, model=model, seed=seed) as call:
        result = call.client.prompts(brief, **call.options)
    if as_json:
        print_message(result)
        return
    for prompt_set in result.prompt_sets:
        print_text(prompt_set.image_prompt)
        for relighting in prompt_set.relight_prompts:
            print_text(f"  light:  {relighting.text}")
        for motion in prompt_set.motion_prompts:
            print_text(f"  motion: {motion.text}")
