"""What the model says of the light against what was measured. What was not measured is not compared."""

import re
from dataclasses import dataclass

import numpy as np
from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2

from lumenmill_captioner.measure import mired

from ._answer import Said

_AZIMUTHS_DEG = {
    "front": 0.0, "front right": 45.0, "right": 90.0, "back right": 135.0,
    "back": 180.0, "back left": -135.0, "left": -90.0, "front left": -45.0,
}  # fmt: skip
# A side is an eighth of a turn, and its neighbours are told apart by no one.
_SAME_SIDE_DEG = 67.5
# From where on light counts as above, and from where on it has no side any more.
_ABOVE_DEG, _OVERHEAD_DEG, _BELOW_DEG = 42.0, 72.0, -8.0
# A side is named wrongly when the light is so far on the other: about 20°.
_CLEARLY_ON_A_SIDE = 0.35
# Bands overlap, since words do.
_HARDNESS = {"soft": (0.0, 0.5), "medium": (0.25, 0.8), "hard": (0.5, 1.0)}
_LIGHTING_CONTRAST_EV = {"low": (0.0, 2.0), "medium": (1.0, 3.5), "high": (2.5, 32.0)}
_PICTURE_CONTRAST_EV = {"low": (0.0, 3.5), "medium": (2.5, 7.0), "high": (5.5, 32.0)}
_TEMPERATURE_K = {
    "very warm": (1000.0, 3100.0),
    "warm": (2700.0, 5300.0),
    "neutral": (4800.0, 7500.0),
    "cool": (6600.0, 11000.0),
    "very cool": (9000.0, 25000.0),
}
# How far a measured colour may lie beyond a band: on known surfaces, and where it is an estimate.
_MEASURED_MIRED, _ESTIMATED_MIRED = 15.0, 60.0
_SURE_OF_COLOR = 0.8
# Between these nothing is said of light that changes; see `words`.
_LIGHT_CHANGES_EV, _LIGHT_STAYS_EV, _FLICKER_EV, _MOVES_DEG = 0.4, 0.12, 0.1, 20.0


@dataclass(frozen=True)
class _Measured:
    """Attributes at all measured moments, and the rest of a measured caption."""

    moments: list[light_pb2.LightAttributes]
    measurement: captioner_pb2.LightMeasurement
    scores: dict[str, float]


def agreements(said: Said, result: captioner_pb2.CaptionResult) -> dict[str, bool]:
    """Return for each of direction, hardness, color, contrast and motion whether it is as measured.

    Absent: it was not measured, or the model does not tell it.

    Args:
        said: what is kept of the model's answer.
        result: what the photometric family says of the same subject.
    """
    measurement = result.measurement
    moments = [sample.attributes for sample in measurement.samples] or [measurement.attributes]
    measured = _Measured(moments, measurement, dict(result.scores))
    found = {
        "direction": _direction(said, measured),
        "hardness": _hardness(said, measured),
        "color": _color(said, measured),
        "contrast": _contrast(said, measured),
        "motion": _motion(said, measured),
    }
    return {name: agrees for name, agrees in found.items() if agrees is not None}


def agreement_scores(agreed: dict[str, bool]) -> dict[str, float]:
    """Return `light_<attribute>_agrees`, 1 or 0, and `light_agreement`, the part of what was compared that agrees."""
    scores = {f"light_{name}_agrees": float(value) for name, value in agreed.items()}
    return scores | ({"light_agreement": float(np.mean(list(agreed.values())))} if agreed else {})


def _direction(said: Said, measured: _Measured) -> bool | None:
    told = [entry for entry in measured.moments if entry.HasField("azimuth_deg") and entry.HasField("elevation_deg")]
    if not told:
        # Surfaces were measured and show no direction; a picture alone shows nothing either way.
        return str(said.light["direction"]) == "all around" if _says_direction(said) and _even(measured) else None
    if any(_names_the_other_side(str(said.light.get("description", "")), entry) for entry in told[:1]):
        return False
    return any(_is_from(said.light["direction"], entry) for entry in told) if _says_direction(said) else None


def _says_direction(said: Said) -> bool:
    return str(said.light.get("direction", "unknown")) != "unknown"


def _even(measured: _Measured) -> bool:
    return bool(measured.measurement.spherical_harmonics)


def _is_from(direction: str, attributes: light_pb2.LightAttributes) -> bool:
    elevation_deg = attributes.elevation_deg
    if direction == "above":
        return elevation_deg >= _ABOVE_DEG
    if direction == "below":
        return elevation_deg < _BELOW_DEG
    if direction not in _AZIMUTHS_DEG or elevation_deg >= _OVERHEAD_DEG:
        return False
    turn_deg = (attributes.azimuth_deg - _AZIMUTHS_DEG[direction] + 180.0) % 360.0 - 180.0
    return abs(turn_deg) <= _SAME_SIDE_DEG


def _names_the_other_side(description: str, attributes: light_pb2.LightAttributes) -> bool:
    """Whether words name one side, and the light comes from the other."""
    sides = set(re.findall(r"\b(left|right)\b", description.lower()))
    azimuth, elevation = np.radians(attributes.azimuth_deg), np.radians(attributes.elevation_deg)
    rightwards = float(np.sin(azimuth) * np.cos(elevation))
    return (sides == {"left"} and rightwards > _CLEARLY_ON_A_SIDE) or (
        sides == {"right"} and rightwards < -_CLEARLY_ON_A_SIDE
    )


def _within(value: float, band: tuple[float, float] | None) -> bool | None:
    return None if band is None else band[0] <= value <= band[1]


def _hardness(said: Said, measured: _Measured) -> bool | None:
    attributes = measured.measurement.attributes
    if not attributes.HasField("hardness"):
        return None
    return _within(attributes.hardness, _HARDNESS.get(said.light.get("hardness", "")))


def _contrast(said: Said, measured: _Measured) -> bool | None:
    attributes = measured.measurement.attributes
    if not attributes.HasField("contrast_ev"):
        return None
    of_picture = measured.measurement.methods["contrast_ev"].startswith("luminance")
    bands = _PICTURE_CONTRAST_EV if of_picture else _LIGHTING_CONTRAST_EV
    return _within(attributes.contrast_ev, bands.get(said.light.get("contrast", "")))


def _color(said: Said, measured: _Measured) -> bool | None:
    measurement, color = measured.measurement, said.light.get("color", "unknown")
    sure = measured.scores.get("color_temperature_confidence", 0.0) >= _SURE_OF_COLOR
    if not measurement.HasField("duv") or color == "unknown":
        return None
    if not measurement.attributes.HasField("color_temperature_k"):
        return color == "coloured" if sure else None
    if color == "coloured":
        return False if sure else None
    warm_mired, cool_mired = (mired(bound) for bound in _TEMPERATURE_K[color])
    allowed = _MEASURED_MIRED if sure else _ESTIMATED_MIRED
    return cool_mired - allowed <= mired(measurement.attributes.color_temperature_k) <= warm_mired + allowed


def _motion(said: Said, measured: _Measured) -> bool | None:
    motion, light_ev = said.light.get("motion", "unknown"), measured.scores.get("light_motion_ev")
    if motion == "unknown" or light_ev is None:
        return None
    flickers = measured.scores.get("flicker_ev", 0.0) >= _FLICKER_EV
    swings = measured.scores.get("light_swing_deg", 0.0) >= _MOVES_DEG
    if motion == "still":
        return light_ev < _LIGHT_CHANGES_EV and not flickers and not swings
    return flickers if motion == "flickers" else swings or light_ev >= _LIGHT_STAYS_EV
