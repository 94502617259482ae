"""Light as words and as structure: what a `Light` looks like, and how to say it.

Both families use this package, so that the text of a light is always rendered from its sources.
"""

from ._attributes import derive_attributes, hardness_of_angular_diameter
from ._build import (
    area_light,
    directional_light,
    environment_light,
    kelvin,
    rgb,
    spherical_harmonics_light,
    sun_sky_light,
)
from ._color import GEL_COLORS, color_word, rgb_of_temperature, sunlight_temperature_k
from ._direction import circular_difference_deg, compass_phrase, unit_vector, wrap_deg
from ._phrases import light_phrase, map_words

__all__ = [
    "GEL_COLORS",
    "area_light",
    "circular_difference_deg",
    "color_word",
    "compass_phrase",
    "derive_attributes",
    "directional_light",
    "environment_light",
    "hardness_of_angular_diameter",
    "kelvin",
    "light_phrase",
    "map_words",
    "rgb",
    "rgb_of_temperature",
    "spherical_harmonics_light",
    "sun_sky_light",
    "sunlight_temperature_k",
    "unit_vector",
    "wrap_deg",
]
