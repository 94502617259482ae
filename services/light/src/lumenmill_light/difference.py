"""Differences between two descriptions of light, in the units of the exported error columns."""

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2
from lumenmill_light.axes import angle_between_deg
from lumenmill_light.color import mired

__all__ = ["ERROR_NAMES", "difference", "direction_difference_deg"]

ERROR_NAMES = tuple(field.name for field in captioner_pb2.LightError.DESCRIPTOR.fields)
"""`direction_deg`, `hardness`, `contrast_ev`, `color_temperature_mired`, `intensity_ev`."""


def difference(found: light_pb2.LightAttributes, reference: light_pb2.LightAttributes) -> captioner_pb2.LightError:
    """Return the differences from `reference` to `found` of all fields that both have; others stay absent.

    They follow from the fields of the two messages alone. Direction, hardness and contrast differ by absolute amounts;
    temperature and intensity by found − reference.
    """
    error = captioner_pb2.LightError()
    direction = direction_difference_deg(found, reference)
    if direction is not None:
        error.direction_deg = direction
    for name in ("hardness", "contrast_ev"):
        if found.HasField(name) and reference.HasField(name):
            setattr(error, name, abs(getattr(found, name) - getattr(reference, name)))
    if found.HasField("color_temperature_k") and reference.HasField("color_temperature_k"):
        error.color_temperature_mired = mired(found.color_temperature_k) - mired(reference.color_temperature_k)
    if found.HasField("intensity_ev") and reference.HasField("intensity_ev"):
        error.intensity_ev = found.intensity_ev - reference.intensity_ev
    return error


def direction_difference_deg(a: light_pb2.LightAttributes, b: light_pb2.LightAttributes) -> float | None:
    """Return the angle between two directions in degrees; None unless both have azimuth and elevation."""
    if not all(side.HasField("azimuth_deg") and side.HasField("elevation_deg") for side in (a, b)):
        return None
    return angle_between_deg(a.azimuth_deg, a.elevation_deg, b.azimuth_deg, b.elevation_deg)
