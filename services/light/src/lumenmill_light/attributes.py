"""What a light looks like on the subject, derived from its sources, of each source and in total.

| attribute           | rule |
| ------------------- | ---- |
| irradiance          | on a surface that faces the source's direction; of even light, π × its mean radiance |
| azimuth, elevation  | of the source with the largest irradiance: its own; the sun's for daylight; the linear band of |
|                     | spherical harmonics; the dominant lobe of a map; where a background is bright. Absent for |
|                     | light that is nearly even, and for a map that lights from several sides |
| hardness            | 1 / (1 + θ/20°) of that source's angular size θ; 0 for spherical harmonics and a sunless sky; |
|                     | a sun that gives under 60 % of the daylight is softened in proportion |
| contrast            | photographic lighting ratio, log₂(1 + key / fill), when there is a fill on the camera's side |
| colour temperature  | of that source's irradiance; absent for coloured light |
| intensity           | log₂(ΣE / π): a white surface that faces the light has radiance 2^intensity |

Environment maps and backgrounds are analysed where the caller gives their radiance. Without it they count as the
strongest source, and everything but the kinds is absent.
"""

import math
from collections.abc import Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill_light.axes import circular_difference_deg, wrap_deg
from lumenmill_light.source_attributes import RadianceOf, SourceAttributes, source_attributes

__all__ = ["attributes", "completed", "ranked", "total", "total_of"]

# A source within this angle of the camera's azimuth lights the side that the camera sees.
_FILL_WITHIN_DEG = 100.0


def attributes(
    light: light_pb2.Light, *, camera_azimuth_deg: float = 0.0, radiance_of: RadianceOf | None = None
) -> light_pb2.LightAttributes:
    """Return the attributes that the sources of a light imply, relative to a camera.

    Fields that the sources do not settle stay absent; light in words alone has its kind.
    """
    if not light.sources:
        kinds = [light_pb2.LIGHT_KIND_TEXT] if light.text else []
        return light_pb2.LightAttributes(kinds=kinds)
    return total([source_attributes(source, radiance_of) for source in light.sources], camera_azimuth_deg)


def total(sources: Sequence[SourceAttributes], camera_azimuth_deg: float = 0.0) -> light_pb2.LightAttributes:
    """Return the attributes of several sources together: direction, hardness and colour are those of the strongest."""
    return total_of(ranked(sources), camera_azimuth_deg)


def total_of(order: Sequence[SourceAttributes], camera_azimuth_deg: float = 0.0) -> light_pb2.LightAttributes:
    """Return the attributes of at least one source together: direction, hardness and colour are those of the first."""
    if len(order) == 1:
        return order[0].to_proto(camera_azimuth_deg)
    found = order[0].to_proto(camera_azimuth_deg)
    found.kinds[:] = dict.fromkeys(source.kind for source in order)
    contrast = _contrast_ev(order, camera_azimuth_deg)
    if contrast is not None:
        found.contrast_ev = contrast
    found.ClearField("intensity_ev")
    irradiance = sum(source.strength for source in order)
    if 0.0 < irradiance < math.inf:
        found.intensity_ev = math.log2(irradiance / math.pi)
    return found


def ranked(sources: Sequence[SourceAttributes]) -> list[SourceAttributes]:
    """Return the sources, the strongest first; those of unknown strength stand before all others."""
    return sorted(sources, key=lambda source: -source.strength)


def completed(
    derived: light_pb2.LightAttributes, stated: light_pb2.LightAttributes, camera_azimuth_deg: float = 0.0
) -> light_pb2.LightAttributes:
    """Return the derived attributes, relative to a camera, with what only the light's own statement knows.

    `stated` is relative to the reference camera.
    """
    found = light_pb2.LightAttributes()
    found.CopyFrom(stated)
    found.ClearField("kinds")
    if found.HasField("azimuth_deg"):
        found.azimuth_deg = wrap_deg(found.azimuth_deg - camera_azimuth_deg)
    found.MergeFrom(derived)
    return found


def _contrast_ev(order: Sequence[SourceAttributes], camera_azimuth_deg: float) -> float | None:
    """Lighting ratio of the key to the fills on the camera's side; None without a fill or a measured key."""
    key, *others = order
    fills = [
        source.irradiance
        for source in others
        if source.irradiance
        and source.azimuth_deg is not None
        and circular_difference_deg(source.azimuth_deg, camera_azimuth_deg) <= _FILL_WITHIN_DEG
    ]
    return math.log2(1.0 + key.irradiance / sum(fills)) if fills and key.irradiance else None
