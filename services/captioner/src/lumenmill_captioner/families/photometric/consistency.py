"""Which light a caption describes: the requested one, unless the picture clearly shows another."""

from lumenmill_captioner.measure import Measured
from lumenmill_captioner.requested.expected import ExpectedLight
from lumenmill_light.color import mired
from lumenmill_light.difference import direction_difference_deg

__all__ = ["consistent_request"]

# Direction and colour that are measured on known surfaces are off by a fraction of these.
_OPPOSITE_DEG, _TURNED_DEG = 90.0, 45.0
_OTHER_COLOR_MIRED, _TURNED_COLOR_MIRED = 150.0, 80.0
_MIN_CONFIDENCE = 0.3


def consistent_request(measured: Measured, requested: ExpectedLight | None) -> ExpectedLight | None:
    """Return the requested light, or None where the measurement contradicts it, so that only that may be described.

    A requested source may reach nothing that the camera sees: a lamp behind a wall, a sun behind a hedge. The picture
    is then lit by something else, and a caption must not claim otherwise.
    """
    if requested is None or measured.surface is None:
        return requested
    seen, expected = measured.proto.attributes, requested.dominant_on(measured.surface.normals)
    color = 0.0
    if seen.HasField("color_temperature_k") and expected.HasField("color_temperature_k"):
        color = abs(mired(seen.color_temperature_k) - mired(expected.color_temperature_k))
    turned = (
        direction_difference_deg(seen, expected) if measured.proto.direction_confidence >= _MIN_CONFIDENCE else None
    )
    is_opposite = turned is not None and turned > _OPPOSITE_DEG
    is_turned_and_recolored = turned is not None and turned > _TURNED_DEG and color > _TURNED_COLOR_MIRED
    return None if is_opposite or is_turned_and_recolored or color > _OTHER_COLOR_MIRED else requested
