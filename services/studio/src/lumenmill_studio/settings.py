"""Define the settings that studio adds to those of every service."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from lumenmill_common.settings import ServiceSettings

__all__ = ["StudioSettings"]


class StudioSettings(ServiceSettings):
    """Settings from the environment: each field is the variable LUMENMILL_<FIELD>, in capitals."""

    environment_maps_dir: Path | None = Field(
        default=None, description="Folder of .hdr and .exr maps that are offered in GetModel."
    )
    assets_dir: Path | None = Field(
        default=None, description="Folder with `meshes/` (.obj, .ply, .glb) and `environment_maps/`."
    )
    render_variant: Literal["auto", "cuda", "llvm", "scalar"] = Field(
        default="auto",
        description="Renderer to use; all but scalar are tested in a child process, scalar replaces one that fails.",
    )
    llvm_library: str = Field(default="", description="Path of a libLLVM to try before those of the distributions.")
