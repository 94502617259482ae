"""What the model says of the light against what was measured. Attributes that were not measured are not compared.

The bands of hardness, lighting contrast, colour and elevation are those of `lumenmill_light.vocabulary`. The model's
words are coarser, so that each covers several bands, and neighbouring words overlap.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.families.vision_language.answer import ParsedAnswer
from lumenmill_captioner.words.motion import FLICKER_EV, LIGHT_CHANGES_EV, LIGHT_STAYS_EV, STAYS_DEG
from lumenmill_light.axes import circular_difference_deg, unit_vector
from lumenmill_light.color import mired
from lumenmill_light.reading import read_light
from lumenmill_light.vocabulary import CONTRAST_EV, ELEVATION_DEG, HARDNESS, TEMPERATURE_K, Scale

__all__ = ["agreement_scores", "agreements"]

_SIDES = ("front", "front right", "right", "back right", "back", "back left", "left", "front left")
_AZIMUTHS_DEG = {name: 45.0 * index for index, name in enumerate(_SIDES)}
# A side is an eighth of a turn; the neighbouring ones are accepted too.
_SAME_SIDE_DEG = 67.5
_HEIGHTS = {"above": {"high", "very high", "overhead"}, "below": {"below"}}
# Sine of the angle, about 20°, from which light clearly comes from one side.
_CLEARLY_ON_A_SIDE = 0.35
# First and last band that a word of the answer covers.
_HARDNESS = {"soft": ("very soft", "soft"), "medium": ("soft", "medium"), "hard": ("medium", "hard")}
_LIGHTING_CONTRAST = {"low": ("flat", "gentle"), "medium": ("gentle", "clear"), "high": ("clear", "deep")}
_TEMPERATURE = {
    "very warm": ("ember", "amber"),
    "warm": ("amber", "warm white"),
    "neutral": ("warm white", "neutral white"),
    "cool": ("cool white", "bluish"),
    "very cool": ("bluish", "cold blue"),
}
# Stops between bright and dark tones of a picture, which depend on its content too.
_PICTURE_CONTRAST_EV = {"low": (0.0, 3.5), "medium": (2.5, 7.0), "high": (5.5, 32.0)}
# How far a measured colour may lie beyond a band: on known surfaces, and where it is an estimate.
_MEASURED_MIRED, _ESTIMATED_MIRED = 15.0, 60.0


@dataclass(frozen=True)
class _Measured:
    """Attributes at all measured moments, and the other parts of a measured caption."""

    moments: list[light_pb2.LightAttributes]
    measurement: captioner_pb2.LightMeasurement
    scores: dict[str, float]


def agreements(parsed: ParsedAnswer, result: captioner_pb2.CaptionResult) -> dict[str, bool]:
    """Return for each of direction, hardness, color, contrast and motion whether the answer is as measured.

    Absent: it was not measured, or the answer does not contain it.

    Args:
        parsed: the valid fields of the model's answer.
        result: the photometric family's result for the same subject.
    """
    measurement = result.measurement
    moments = [sample.attributes for sample in measurement.samples] or [measurement.attributes]
    measured = _Measured(moments, measurement, dict(result.scores))
    found = {
        "direction": _direction(parsed, measured),
        "hardness": _hardness(parsed, measured),
        "color": _color(parsed, measured),
        "contrast": _contrast(parsed, measured),
        "motion": _motion(parsed, measured),
    }
    return {name: agrees for name, agrees in found.items() if agrees is not None}


def agreement_scores(agreed: dict[str, bool]) -> dict[str, float]:
    """Return `light_<attribute>_agrees`, 1 or 0, and `light_agreement`, the part of what was compared that agrees."""
    scores = {f"light_{name}_agrees": float(value) for name, value in agreed.items()}
    return scores | ({"light_agreement": float(np.mean(list(agreed.values())))} if agreed else {})


def _direction(parsed: ParsedAnswer, measured: _Measured) -> bool | None:
    direction = str(parsed.light.get("direction", "unknown"))
    directed = [
        entry for entry in measured.moments if entry.HasField("azimuth_deg") and entry.HasField("elevation_deg")
    ]
    if not directed:
        # Surfaces that were measured show even light; a picture alone shows nothing.
        was_measured = bool(measured.measurement.spherical_harmonics)
        return direction == "all around" if direction != "unknown" and was_measured else None
    if _names_the_other_side(str(parsed.light.get("description", "")), directed[0]):
        return False
    return any(_is_from(direction, entry) for entry in directed) if direction != "unknown" else None


def _is_from(direction: str, attributes: light_pb2.LightAttributes) -> bool:
    height = ELEVATION_DEG.band(attributes.elevation_deg).name
    if direction in _HEIGHTS:
        return height in _HEIGHTS[direction]
    if direction not in _AZIMUTHS_DEG or height == "overhead":
        return False
    return circular_difference_deg(attributes.azimuth_deg, _AZIMUTHS_DEG[direction]) <= _SAME_SIDE_DEG


def _names_the_other_side(description: str, attributes: light_pb2.LightAttributes) -> bool:
    """Return whether a text says that light comes from one side, and the light comes from the other."""
    lights = read_light(description).lights
    arcs = [arc for light in lights if not light.is_denied for arc in light.azimuths_deg]
    named = [float(unit_vector(arc.center_deg, 0.0)[0]) for arc in arcs]
    sides = {math.copysign(1.0, rightwards) for rightwards in named if abs(rightwards) > _CLEARLY_ON_A_SIDE}
    rightwards = float(unit_vector(attributes.azimuth_deg, attributes.elevation_deg)[0])
    return abs(rightwards) > _CLEARLY_ON_A_SIDE and sides == {-math.copysign(1.0, rightwards)}


def _hardness(parsed: ParsedAnswer, measured: _Measured) -> bool | None:
    attributes = measured.measurement.attributes
    if not attributes.HasField("hardness"):
        return None
    return _is_in_bands(HARDNESS, attributes.hardness, _HARDNESS, parsed.light.get("hardness", ""))


def _contrast(parsed: ParsedAnswer, measured: _Measured) -> bool | None:
    attributes, word = measured.measurement.attributes, parsed.light.get("contrast", "")
    if attributes.HasField("contrast_ev"):
        return _is_in_bands(CONTRAST_EV, attributes.contrast_ev, _LIGHTING_CONTRAST, word)
    low_high, tones_ev = _PICTURE_CONTRAST_EV.get(word), measured.scores.get("luminance_contrast_ev")
    return None if low_high is None or tones_ev is None else low_high[0] <= tones_ev <= low_high[1]


def _is_in_bands(scale: Scale, value: float, bands_of: Mapping[str, tuple[str, str]], word: str) -> bool | None:
    """Return whether a value lies in the bands that a word covers; None for other words."""
    if word not in bands_of:
        return None
    low, high = scale.interval(*bands_of[word])
    return low <= value < high


def _color(parsed: ParsedAnswer, measured: _Measured) -> bool | None:
    measurement, color = measured.measurement, parsed.light.get("color", "unknown")
    is_certain = measurement.methods.get("duv", "").startswith("shading")
    if not measurement.HasField("duv") or color == "unknown":
        return None
    if not measurement.attributes.HasField("color_temperature_k"):
        return color == "coloured" if is_certain else None
    if color == "coloured":
        return False if is_certain else None
    warmest_k, coolest_k = TEMPERATURE_K.interval(*_TEMPERATURE[color])
    warmest_mired = mired(warmest_k) if warmest_k > 0.0 else math.inf
    tolerance = _MEASURED_MIRED if is_certain else _ESTIMATED_MIRED
    measured_mired = mired(measurement.attributes.color_temperature_k)
    return mired(coolest_k) - tolerance <= measured_mired <= warmest_mired + tolerance


def _motion(parsed: ParsedAnswer, measured: _Measured) -> bool | None:
    motion, light_ev = parsed.light.get("motion", "unknown"), measured.scores.get("light_motion_ev")
    if motion == "unknown" or light_ev is None:
        return None
    flickers = measured.scores.get("flicker_ev", 0.0) >= FLICKER_EV
    swings = measured.scores.get("light_swing_deg", 0.0) >= STAYS_DEG
    if motion == "still":
        return light_ev < LIGHT_CHANGES_EV and not flickers and not swings
    return flickers if motion == "flickers" else swings or light_ev >= LIGHT_STAYS_EV
