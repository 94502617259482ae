"""A small valid file of each format that is read, for tests that mutate it."""

from .archives import SCENE_SHA256, light_bases, map_sequences
from .clips import clips
from .float_images import exr_files, radiance_files
from .meshes import meshes
from .stills import stills
from .texts import prompt_files, recipe_files

__all__ = ["SCENE_SHA256", "VALID_FILES"]

VALID_FILES: dict[str, dict[str, bytes]] = {
    "still": stills(),
    "exr": exr_files(),
    "radiance": radiance_files(),
    "clip": clips(),
    "map-sequence": map_sequences(),
    "light-basis": light_bases(),
    "mesh": meshes(),
    "prompts": prompt_files(),
    "recipe": recipe_files(),
}
"""Files by the kind of reader that reads them, and by name."""
