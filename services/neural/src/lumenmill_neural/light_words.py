"""The look of a light, in attributes and in words, for models that are told by words what to do."""

from lumenmill.common.v1.light_pb2 import LightAttributes

__all__ = ["words_of"]

_COMPASS = (
    (22.5, "from the front"),
    (67.5, "from the front {side}"),
    (112.5, "from the {side}"),
    (157.5, "from the back {side}"),
    (180.0, "from behind"),
)
_HEIGHTS = ((-15.0, "from below"), (15.0, "low"), (50.0, ""), (75.0, "high up"))
_QUALITIES = ((0.2, "very soft"), (0.4, "soft"), (0.7, "slightly diffused"), (1.0, "hard"))
_COLOURS = ((2400.0, "deep orange"), (3600.0, "warm amber"), (4800.0, "warm white"), (7000.0, "neutral white"))
_COLDEST = ((10000.0, "cool bluish"), (25000.0, "deep blue"))
_LEVELS = ((-1.5, "very dim"), (-0.6, "dim"), (0.8, ""), (1.8, "bright"))
_CONTRASTS = ((1.0, "almost no shadows"), (2.5, "gentle shadows"), (4.0, "clear shadows"))


def words_of(look: LightAttributes, hue: str = "") -> str:
    """A noun phrase for the look of a light: "bright hard warm amber light from the left, low, with deep shadows".

    `hue` names a colour that no black body has ("green") and replaces the colour temperature. Fields that are absent
    are not spoken of. Azimuth is 0 from the camera, 90 from the right; see light.proto.
    """
    level = _word(_LEVELS, look.intensity_ev, "very bright") if look.HasField("intensity_ev") else ""
    quality = _word(_QUALITIES, look.hardness, "hard") if look.HasField("hardness") else ""
    colour = hue
    if not colour and look.HasField("color_temperature_k"):
        colour = _word((*_COLOURS, *_COLDEST), look.color_temperature_k, "deep blue")
    words = " ".join(word for word in (level, quality, colour, "light") if word)
    where = _where(look)
    contrast = _word(_CONTRASTS, look.contrast_ev, "deep shadows") if look.HasField("contrast_ev") else ""
    return f"{words}{f' {where}' if where else ''}{f', with {contrast}' if contrast else ''}"


def _where(look: LightAttributes) -> str:
    if look.HasField("elevation_deg") and look.elevation_deg > _HEIGHTS[-1][0]:
        return "from straight above"
    height = _word(_HEIGHTS, look.elevation_deg, "high up") if look.HasField("elevation_deg") else ""
    if not look.HasField("azimuth_deg"):
        return height
    azimuth = (look.azimuth_deg + 180.0) % 360.0 - 180.0
    side = _word(_COMPASS, abs(azimuth), "from behind").format(side="right" if azimuth > 0 else "left")
    return f"{side}, {height}" if height else side


def _word(scale: tuple[tuple[float, str], ...], value: float, beyond: str) -> str:
    return next((word for limit, word in scale if value <= limit), beyond)
