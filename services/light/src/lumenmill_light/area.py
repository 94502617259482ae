"""The sizes of rectangular sources as the subject sees them, with the contract's defaults."""

import math

from lumenmill.common.v1 import light_pb2

__all__ = ["BACKGROUND_HALF_ANGLE_DEG", "area_disc_radius_deg", "area_extent", "area_size_deg"]

_DISTANCE_RATIO, _WIDTH_RATIO = 4.0, 1.0
BACKGROUND_HALF_ANGLE_DEG = 48.0
"""Half of the angle that a BackgroundLight spans for the subject, across its width: the median of studio's panels."""


def area_extent(area: light_pb2.AreaLight) -> tuple[float, float, float]:
    """Return distance, width and height in multiples of the subject's bounding radius."""
    width = area.width_ratio or _WIDTH_RATIO
    return area.distance_ratio or _DISTANCE_RATIO, width, area.height_ratio or width


def area_size_deg(area: light_pb2.AreaLight) -> float:
    """Return the angular size, in degrees, of a square of the rectangle's area seen from the subject."""
    distance, width, height = area_extent(area)
    return math.degrees(2.0 * math.atan2(math.sqrt(width * height) / 2.0, distance))


def area_disc_radius_deg(area: light_pb2.AreaLight) -> float:
    """Return the angular radius, in degrees, of a disc of the rectangle's area seen from the subject."""
    distance, width, height = area_extent(area)
    return math.degrees(math.atan2(math.sqrt(width * height / math.pi), distance))
