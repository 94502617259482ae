"""Options that the commands which call models share."""

from typing import Annotated, Any

import typer

from lumenmill.common.v1.scene_pb2 import UNKNOWN_WORDS_REFUSE, UNKNOWN_WORDS_SUBSTITUTE, UnknownWords
from lumenmill_client.command._light_option import LIGHT_HELP

__all__ = [
    "HeightOfMapsPx",
    "HeightPx",
    "Lights",
    "ModelName",
    "Preset",
    "RequestId",
    "Seed",
    "Substitute",
    "WidthOfMapsPx",
    "WidthPx",
    "unknown_words",
]

_OF_PRESET, _OF_IMAGE = "that of the preset", "that of the image, else that of the preset"


def _size_option(side: str, default: str) -> Any:
    help_text = f"{side.capitalize()} in pixels. Default: {default}."
    return typer.Option(f"--{side}", min=0, max=16384, help=help_text, show_default=False)


Lights = Annotated[list[str] | None, typer.Option("--light", "-l", help=LIGHT_HELP)]
WidthPx = Annotated[int, _size_option("width", _OF_PRESET)]
HeightPx = Annotated[int, _size_option("height", _OF_PRESET)]
WidthOfMapsPx = Annotated[int, _size_option("width", _OF_IMAGE)]
HeightOfMapsPx = Annotated[int, _size_option("height", _OF_IMAGE)]
Substitute = Annotated[
    bool, typer.Option("--substitute", help="For words that cannot be drawn, draw the nearest thing.")
]
Preset = Annotated[str, typer.Option(help="Preset of the model; `lumenmill models` shows them.")]
ModelName = Annotated[str, typer.Option("--model", help="Name of the model. Default: the first suitable one.")]
Seed = Annotated[int, typer.Option(min=0, max=2**64 - 1, help="Seed.")]
RequestId = Annotated[str, typer.Option(help="Id of the call; an earlier id attaches to its running or finished job.")]


def unknown_words(substitute: bool) -> "UnknownWords.ValueType":
    """Return what `--substitute` requests."""
    return UNKNOWN_WORDS_SUBSTITUTE if substitute else UNKNOWN_WORDS_REFUSE
