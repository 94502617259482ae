"""`clip`: a clip from text."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lumenmill.video.v1 import video_pb2
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
from lumenmill_client.command._output import document_of, notes
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["register"]

_TEXT_IS_MISSING = 'is required, for example: lumenmill clip "a copper kettle on an oak table"'


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(clip)


def clip(
    context: typer.Context,
    text: Annotated[
        str, typer.Argument(help="Content of the clip. Without it, the terminal asks.", show_default=False)
    ] = "",
    out: Annotated[
        Path,
        typer.Option("--out", "-o", dir_okay=False, help="MP4 file of the clip; a scene is written beside it."),
    ] = Path("output/text2video.mp4"),
    light: Lights = None,
    duration_s: Annotated[
        float,
        typer.Option(
            "--duration", min=0, max=600, help="Length in seconds. Default: that of the preset.", show_default=False
        ),
    ] = 0.0,
    fps: Annotated[
        float,
        typer.Option(min=0, max=240, help="Frames per second. Default: those of the preset.", show_default=False),
    ] = 0.0,
    width_px: WidthPx = 0,
    height_px: HeightPx = 0,
    substitute: Substitute = False,
    preset: Preset = "",
    model: ModelName = "",
    seed: Seed = 0,
    request_id: RequestId = "",
    as_json: AsJson = False,
) -> None:
    """Generate a clip from text, with studio, Wan2.1, ModelScope or another model of the mesh.

    Examples: lumenmill clip "a copper kettle on an oak table" --preset fast --seed 7;
    lumenmill clip "waves at a rocky shore" --model modelscope --duration 2 --out waves.mp4
    """
    if out.suffix != ".mp4":
        raise InvalidArgumentError("--out", f"is {str(out)!r}; clips are MP4, so name a file that ends in .mp4")
    prompt = text if text.strip() else _ask_for_text()
    with model_call(context.obj, "generating", request_id, model=model) as call:
        request = video_pb2.GenerateVideoRequest(
            prompt=prompt,
            light=call.light(light),
            duration_s=duration_s,
            fps=fps,
            width_px=width_px,
            height_px=height_px,
            unknown_words=unknown_words(substitute),
            preset=preset,
            seed=seed,
        )
        result = call.client.video(request, **call.options)
        files = [call.client.download(result.video, out)]
        if result.HasField("scene"):
            files.append(call.save(result.scene, out.with_suffix("")))
    print_substitutions([result.record])
    print_files(files, document_of(result), as_json)


def _ask_for_text() -> str:
    """Return what is typed on the terminal.

    Raises:
        InvalidArgumentError: there is no terminal, or its input ended.
    """
    if not (sys.stdin.isatty() and notes.is_terminal):
        raise InvalidArgumentError("text", _TEXT_IS_MISSING)
    try:
        while not (text := notes.input("Content of the clip: ", markup=False, emoji=False).strip()):
            pass
    except EOFError:
        raise InvalidArgumentError("text", _TEXT_IS_MISSING) from None
    return text
