"""Measurement of light: numbers from pictures, each with the name of its method."""

from ._color import LUMINANCE, LightColor, color_of, luminance, mired, rgb_of_temperature
from ._error import AttributeName, angle_between_deg, light_error
from ._hardness import hardness_of_size
from ._harmonics import basis, fit_radiance, linear_band_direction, shading_basis, sphere_directions
from ._level import pitch_deg
from ._measure import Evidence, Measured, expected_on_surfaces, measure, shading_from, undo_shoulder
from ._motion import ClipMotion, measure_motion
from ._surface import KeyFit, Shading, facing, fit_key, gather, lit_and_shaded_ev
from ._swing import Swing, swing_of
from ._tone import light_color_name

__all__ = [
    "LUMINANCE",
    "AttributeName",
    "ClipMotion",
    "Evidence",
    "KeyFit",
    "LightColor",
    "Measured",
    "Shading",
    "Swing",
    "angle_between_deg",
    "basis",
    "color_of",
    "expected_on_surfaces",
    "facing",
    "fit_key",
    "fit_radiance",
    "gather",
    "hardness_of_size",
    "light_color_name",
    "light_error",
    "linear_band_direction",
    "lit_and_shaded_ev",
    "luminance",
    "measure",
    "measure_motion",
    "mired",
    "pitch_deg",
    "rgb_of_temperature",
    "shading_basis",
    "shading_from",
    "sphere_directions",
    "swing_of",
    "undo_shoulder",
]
