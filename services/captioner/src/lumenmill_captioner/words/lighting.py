"""The light of one picture as it is compared with that of another."""

from dataclasses import dataclass, replace

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.words.shown import Shown, shows_side
from lumenmill_light.visible_lights import VisibleLight, visible_lights

__all__ = ["Lighting", "arrived_lighting", "as_shown", "measured_lighting", "without_intensity"]

# A light with less than this share does not appear, it was there.
_FAINT_SHARE = 0.04


@dataclass(frozen=True)
class Lighting:
    """The light of one picture as it is compared.

    Attributes:
        lights: those that are described, the main one first; measured light has only that one.
        faint: those too weak to be described.
        intensity_ev: of all light, None where it is not known.
        contrast_ev: of lit and shaded side, None where it is not known or follows from the lights.
        unseen_side: direction of the main light where the picture does not show it, which is not described.
        all_is_known: whether a light without a direction comes evenly, rather than from a side that is not known.
    """

    lights: tuple[VisibleLight, ...]
    faint: tuple[VisibleLight, ...] = ()
    intensity_ev: float | None = None
    contrast_ev: float | None = None
    unseen_side: light_pb2.LightAttributes | None = None
    all_is_known: bool = True

    def total(self) -> light_pb2.LightAttributes:
        """Return direction, hardness and colour of the main light, and the intensity of all."""
        found = light_pb2.LightAttributes()
        if self.lights:
            found.CopyFrom(self.lights[0].attributes)
        found.ClearField("intensity_ev")
        found.ClearField("contrast_ev")
        if self.intensity_ev is not None:
            found.intensity_ev = self.intensity_ev
        return found


def arrived_lighting(arrived: light_pb2.ArrivedLight) -> Lighting:
    """Return arrived light as it is compared."""
    lights, total = visible_lights(arrived), arrived.attributes
    shown = {light.source_index for light in lights}
    faint = [light for light in visible_lights(arrived, min_share=_FAINT_SHARE) if light.source_index not in shown]
    return Lighting(tuple(lights), tuple(faint), total.intensity_ev if total.HasField("intensity_ev") else None)


def as_shown(lighting: Lighting, shown: Shown) -> Lighting:
    """Return light without the sides that the picture does not show, which its caption does not state either."""
    main = lighting.lights[0] if lighting.lights else None
    return replace(
        lighting,
        lights=tuple(_as_shown(light, shown) for light in lighting.lights),
        faint=tuple(_as_shown(light, shown) for light in lighting.faint),
        unseen_side=main.attributes if main and main.has_direction and not shows_side(main, shown) else None,
    )


def _as_shown(light: VisibleLight, shown: Shown) -> VisibleLight:
    if not light.has_direction or shows_side(light, shown):
        return light
    attributes = light_pb2.LightAttributes()
    attributes.CopyFrom(light.attributes)
    attributes.ClearField("azimuth_deg")
    attributes.ClearField("elevation_deg")
    return replace(light, attributes=attributes)


def measured_lighting(attributes: light_pb2.LightAttributes) -> Lighting:
    """Return measured light as it is compared."""
    return Lighting(
        (VisibleLight(attributes, 1.0, "", 0),),
        intensity_ev=attributes.intensity_ev if attributes.HasField("intensity_ev") else None,
        contrast_ev=attributes.contrast_ev if attributes.HasField("contrast_ev") else None,
        all_is_known=False,
    )


def without_intensity(lighting: Lighting) -> Lighting:
    """Return light whose intensity is not compared."""
    return replace(lighting, intensity_ev=None)
