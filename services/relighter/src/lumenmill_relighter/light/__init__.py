"""From a Light to what an image model takes: an environment, its look, words, pictures. The README writes it down."""

from ._environment import Array, environment_of, seen_behind
from ._look import Look, look_of
from ._mapping import Lighting, lighting_of, read_light
from ._pictures import background_picture, gradient_picture

__all__ = [
    "Array",
    "Lighting",
    "Look",
    "background_picture",
    "environment_of",
    "gradient_picture",
    "lighting_of",
    "look_of",
    "read_light",
    "seen_behind",
]
