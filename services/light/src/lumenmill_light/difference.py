"""Differences between two lights, in the units of the exported error columns."""

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2
from lumenmill_light.axes import angle_between_deg
from lumenmill_light.color import mired

__all__ = ["ERROR_NAMES", "difference", "direction_difference_deg"]

ERROR_NAMES = tuple(field.name for field in captioner_pb2.LightError.DESCRIPTOR.fields)
"""`direction_deg`, `hardness`, `contrast_ev`, `color_temperature_mired`, `intensity_ev`."""


def difference(measured: light_pb2.LightAttributes, expected: light_pb2.LightAttributes) -> captioner_pb2.LightError:
    """Return the differences of all fields that both have; others stay absent.

    Direction, hardness and contrast differ by absolute amounts; temperature and intensity by measured − expected.
    """
    error = captioner_pb2.LightError()
    direction = direction_difference_deg(measured, expected)
    if direction is not None:
        error.direction_deg = direction
    for name in ("hardness", "contrast_ev"):
        if measured.HasField(name) and expected.HasField(name):
            setattr(error, name, abs(getattr(measured, name) - getattr(expected, name)))
    if measured.HasField("color_temperature_k") and expected.HasField("color_temperature_k"):
        error.color_temperature_mired = mired(measured.color_temperature_k) - mired(expected.color_temperature_k)
    if measured.HasField("intensity_ev") and expected.HasField("intensity_ev"):
        error.intensity_ev = measured.intensity_ev - expected.intensity_ev
    return error


def direction_difference_deg(a: light_pb2.LightAttributes, b: light_pb2.LightAttributes) -> float | None:
    """Return the angle between two directions in degrees; None unless both have azimuth and elevation."""
    if not all(side.HasField("azimuth_deg") and side.HasField("elevation_deg") for side in (a, b)):
        return None
    return angle_between_deg(a.azimuth_deg, a.elevation_deg, b.azimuth_deg, b.elevation_deg)
