"""From a Light to what an image model takes: its environment, attributes, words and pictures. The README lists them."""

from lumenmill_relighter.light.lighting import Lighting, lighting_of
from lumenmill_relighter.light.pictures import background_picture, gradient_picture, has_side, seen_behind

__all__ = ["Lighting", "background_picture", "gradient_picture", "has_side", "lighting_of", "seen_behind"]
