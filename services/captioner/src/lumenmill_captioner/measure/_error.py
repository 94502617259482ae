"""Known against measured light."""

import math
from typing import Literal

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2

from ._color import mired

AttributeName = Literal[
    "azimuth_deg", "elevation_deg", "hardness", "contrast_ev", "color_temperature_k", "intensity_ev"
]


def light_error(
    measured: light_pb2.LightAttributes, known: light_pb2.LightAttributes
) -> captioner_pb2.LightError | None:
    """Return the differences of all fields that are both measured and known; None when there are none."""
    error = captioner_pb2.LightError()
    direction = angle_between_deg(measured, known)
    if direction is not None:
        error.direction_deg = direction
    for name in ("hardness", "contrast_ev"):
        if measured.HasField(name) and known.HasField(name):
            setattr(error, name, abs(getattr(measured, name) - getattr(known, name)))
    if measured.HasField("color_temperature_k") and known.HasField("color_temperature_k"):
        error.color_temperature_mired = mired(measured.color_temperature_k) - mired(known.color_temperature_k)
    if measured.HasField("intensity_ev") and known.HasField("intensity_ev"):
        error.intensity_ev = measured.intensity_ev - known.intensity_ev
    return error if error.ListFields() else None


def angle_between_deg(a: light_pb2.LightAttributes, b: light_pb2.LightAttributes) -> float | None:
    """Return the angle between two directions in degrees, or None unless both are told."""
    if not all(side.HasField("azimuth_deg") and side.HasField("elevation_deg") for side in (a, b)):
        return None
    first, second = math.radians(a.elevation_deg), math.radians(b.elevation_deg)
    turn = math.radians(a.azimuth_deg - b.azimuth_deg)
    cosine = math.sin(first) * math.sin(second) + math.cos(first) * math.cos(second) * math.cos(turn)
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
