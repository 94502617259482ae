"""Which light a caption tells: the known one, unless the picture plainly shows another."""

from lumenmill_captioner.known import ExpectedLight
from lumenmill_captioner.measure import Measured, angle_between_deg, mired

# Where direction and colour were measured on known surfaces, the error of either is a fraction of these.
_OTHER_WAY_DEG, _TURNED_DEG = 90.0, 45.0
_OTHER_COLOR_MIRED, _TURNED_COLOR_MIRED = 150.0, 80.0
_SURE_ENOUGH = 0.3


def light_to_tell(measured: Measured, known: ExpectedLight | None) -> ExpectedLight | None:
    """Return known light as long as it is what one sees; None where only the measured light may be told.

    A source that was asked for may reach nothing that the camera sees: a lamp behind a wall, a sun behind a hedge. The
    picture is then lit by something else, and a caption must not claim otherwise.
    """
    if known is None or measured.surface is None:
        return known
    seen, asked = measured.proto.attributes, known.attributes
    color = 0.0
    if seen.HasField("color_temperature_k") and asked.HasField("color_temperature_k"):
        color = abs(mired(seen.color_temperature_k) - mired(asked.color_temperature_k))
    turned = angle_between_deg(seen, asked) if measured.proto.direction_confidence >= _SURE_ENOUGH else None
    other_way = turned is not None and turned > _OTHER_WAY_DEG
    turned_and_recolored = turned is not None and turned > _TURNED_DEG and color > _TURNED_COLOR_MIRED
    return None if other_way or turned_and_recolored or color > _OTHER_COLOR_MIRED else known
