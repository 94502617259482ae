"""Measurement of light: numbers from pictures, each with the name of its method."""

from lumenmill_captioner.measure.camera_pitch import pitch_deg
from lumenmill_captioner.measure.dominant_colors import oklab
from lumenmill_captioner.measure.evidence import Evidence, shading_from, undo_shoulder
from lumenmill_captioner.measure.measurement import Measured, measure
from lumenmill_captioner.measure.motion import ClipMotion, measure_motion
from lumenmill_captioner.measure.picture_color import cast_word
from lumenmill_captioner.measure.swing import Swing, swing_of

__all__ = [
    "ClipMotion",
    "Evidence",
    "Measured",
    "Swing",
    "cast_word",
    "measure",
    "measure_motion",
    "oklab",
    "pitch_deg",
    "shading_from",
    "swing_of",
    "undo_shoulder",
]
