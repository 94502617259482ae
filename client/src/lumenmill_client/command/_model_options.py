"""Options that the commands which call models share."""

from typing import Annotated

import typer

from lumenmill_client.command._light_option import LIGHT_HELP

__all__ = ["HeightPx", "Lights", "ModelName", "Preset", "RequestId", "Seed", "Substitute", "WidthPx"]

_MAX_SIZE_PX = 16384

Lights = Annotated[list[str] | None, typer.Option("--light", "-l", help=LIGHT_HELP)]
WidthPx = Annotated[
    int, typer.Option("--width", min=0, max=_MAX_SIZE_PX, help="Width in pixels. Default: that of the preset.")
]
HeightPx = Annotated[
    int, typer.Option("--height", min=0, max=_MAX_SIZE_PX, help="Height in pixels. Default: that of the preset.")
]
Substitute = Annotated[
    bool, typer.Option("--substitute", help="For words that cannot be drawn, draw the nearest thing.")
]
Preset = Annotated[str, typer.Option(help="Preset of the model; `lumenmill models` shows them.")]
ModelName = Annotated[str, typer.Option("--model", help="Name of the model. Default: the first suitable one.")]
Seed = Annotated[int, typer.Option(min=0, max=2**64 - 1, help="Seed.")]
RequestId = Annotated[str, typer.Option(help="Id of the call; an earlier id attaches to its running or finished job.")]
