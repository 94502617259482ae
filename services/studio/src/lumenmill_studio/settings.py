"""What studio reads from the environment, beside what every service does."""

from pathlib import Path
from typing import Literal

from lumenmill_common.settings import ServiceSettings
from pydantic import Field


class StudioSettings(ServiceSettings):
    """Each field is the environment variable LUMENMILL_<FIELD>, in capitals."""

    environment_maps_dir: Path | None = Field(
        default=None, description="Folder of .hdr and .exr maps that are offered in GetModel."
    )
    assets_dir: Path | None = Field(
        default=None, description="Folder with `meshes/` (.obj, .ply) and `environment_maps/`."
    )
    render_variant: Literal["auto", "cuda", "llvm", "scalar"] = Field(
        default="auto",
        description="Which renderer to use; each but scalar is tried in a child process first and left if it fails.",
    )
    llvm_library: str = Field(default="", description="Path of a libLLVM to try before the usual places.")
