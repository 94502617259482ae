"""Load the presets of ``presets.yaml``."""

from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from lumenmill_common.errors import InvalidArgumentError

__all__ = ["PRESETS", "Preset", "VideoPreset", "preset_named"]


class VideoPreset(BaseModel):
    """The part of a preset for clips."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    width_px: int
    height_px: int
    num_frames: int
    fps: float
    frame_spp: int
    light_stop_frames: int


class Preset(BaseModel):
    """One preset; the fields are explained in ``presets.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    description: str
    width_px: int
    height_px: int
    spp: int
    max_depth: int
    guide_spp: int
    video: VideoPreset


PRESETS: tuple[Preset, ...] = tuple(
    TypeAdapter(list[Preset]).validate_python(
        yaml.safe_load(resources.files("lumenmill_studio").joinpath("presets.yaml").read_text())
    )
)


def preset_named(name: str) -> Preset:
    """Return the preset of a name, or the first one for an empty name.

    Raises:
        InvalidArgumentError: no preset has that name.
    """
    found = next((preset for preset in PRESETS if preset.name == name), None) if name else PRESETS[0]
    if found is None:
        raise InvalidArgumentError("preset", f"{name!r} is none of {', '.join(preset.name for preset in PRESETS)}")
    return found
