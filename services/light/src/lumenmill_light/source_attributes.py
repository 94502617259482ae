"""What one source of a light looks like on the subject; the rules stand at the head of attributes.py."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import mul
from typing import NamedTuple

import numpy as np

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill_light import environment_map, spherical_harmonics, sun_sky
from lumenmill_light.area import BACKGROUND_HALF_ANGLE_DEG, area_size_deg
from lumenmill_light.axes import angles_of, scene_to_level, wrap_deg
from lumenmill_light.color import (
    WHITE_TEMPERATURE_K,
    Array,
    emitter_rgb,
    luminance,
    luminance_of_one,
    temperature_of_white,
    temperature_rgb,
)
from lumenmill_light.environment_map import Radiance
from lumenmill_light.hardness import hardness_of_size
from lumenmill_light.irradiance import rectangle_irradiance
from lumenmill_light.sources import kind_of
from lumenmill_light.vocabulary import hue_word

__all__ = [
    "RadianceOf",
    "SourceAttributes",
    "background_attributes",
    "daylight_attributes",
    "source_attributes",
]

_Triple = tuple[float, float, float]

RadianceOf = Callable[[artifact_pb2.Artifact], Radiance]
"""Gives the linear radiance (H, W, 3) of an environment map or a background."""

# |∫ L ω dω| / ∫ L dω: light below it comes from nowhere in particular.
_MIN_DIRECTIONALITY = 0.03
# A map whose lobe is farther than this from its mean direction lights from several sides: of 28 pictures in sets, the
# lobe of 7 was, and none of these came within 15° of the direction that was fitted to their shading.
_MAX_OFF_MEAN_DEG = 30.0


class SourceAttributes(NamedTuple):
    """One source as the subject sees it, in the axes of the scene. None where it is not known or there is none.

    Attributes:
        size_deg: angular size; hardness is 0 without a size for light that casts no shadows.
        temperature_k: correlated temperature; None for coloured light too.
        irradiance: luminance of the irradiance on a surface that faces the source.
        rgb: colour (3,) of that irradiance, linear Rec. 709 of luminance 1, where it was not given as a temperature.
    """

    kind: "light_pb2.LightKind.ValueType"
    azimuth_deg: float | None = None
    elevation_deg: float | None = None
    hardness: float | None = None
    size_deg: float | None = None
    temperature_k: float | None = None
    irradiance: float | None = None
    rgb: tuple[float, float, float] | None = None

    @property
    def strength(self) -> float:
        """The irradiance, by which sources are ranked; infinite where it is not known."""
        return math.inf if self.irradiance is None else self.irradiance

    @property
    def intensity_ev(self) -> float | None:
        """Stops of the irradiance from π; None for dark and for unknown light."""
        return math.log2(self.irradiance / math.pi) if self.irradiance else None

    @property
    def linear_rgb(self) -> _Triple | None:
        """Colour (3,) of the light, linear Rec. 709 of luminance 1; None for dark and unknown light."""
        if self.rgb is not None or self.temperature_k is None:
            return self.rgb
        return _triple(temperature_rgb(self.temperature_k))

    @property
    def hue(self) -> str:
        """The name of a colour that no temperature describes; empty for white, dark and unknown light."""
        return hue_word(self.rgb) if self.irradiance and self.rgb and self.temperature_k is None else ""

    def to_proto(self, camera_azimuth_deg: float = 0.0) -> light_pb2.LightAttributes:
        """Return the attributes of this source alone, relative to a camera."""
        return light_pb2.LightAttributes(
            kinds=[self.kind],
            azimuth_deg=None if self.azimuth_deg is None else wrap_deg(self.azimuth_deg - camera_azimuth_deg),
            elevation_deg=self.elevation_deg,
            hardness=self.hardness,
            color_temperature_k=self.temperature_k,
            intensity_ev=self.intensity_ev,
        )


def source_attributes(source: light_pb2.LightSource, radiance_of: RadianceOf | None = None) -> SourceAttributes:
    """Return what one source looks like from the subject."""
    match source.WhichOneof("kind"):
        case "area":
            return _emitter(light_pb2.LIGHT_KIND_AREA, source.area, area_size_deg(source.area))
        case "directional":
            size_deg = source.directional.angular_diameter_deg
            return _emitter(light_pb2.LIGHT_KIND_DIRECTIONAL, source.directional, size_deg)
        case "sun_sky":
            return daylight_attributes(source.sun_sky, sun_sky.daylight(source.sun_sky))
        case "spherical_harmonics":
            return _harmonics(source.spherical_harmonics)
        case _:
            return _picture(source, radiance_of)


def _picture(source: light_pb2.LightSource, radiance_of: RadianceOf | None) -> SourceAttributes:
    if radiance_of is not None and source.HasField("environment_map"):
        return _environment(source.environment_map, radiance_of(source.environment_map.map))
    if radiance_of is not None and source.HasField("background"):
        return background_attributes(source.background, radiance_of(source.background.image))
    return SourceAttributes(kind_of(source))


def _emitter(
    kind: "light_pb2.LightKind.ValueType",
    emitter: light_pb2.AreaLight | light_pb2.DirectionalLight,
    size_deg: float,
) -> SourceAttributes:
    rgb: _Triple | None = None
    temperature_k: float | None = WHITE_TEMPERATURE_K
    if emitter.color.WhichOneof("value") == "temperature_k":
        temperature_k = emitter.color.temperature_k
    elif emitter.HasField("color"):
        rgb, temperature_k = _given_color(emitter.color.rgb.red, emitter.color.rgb.green, emitter.color.rgb.blue)
    return SourceAttributes(
        kind,
        wrap_deg(emitter.azimuth_deg),
        emitter.elevation_deg,
        hardness_of_size(size_deg),
        size_deg,
        temperature_k,
        emitter.irradiance,
        rgb,
    )


@lru_cache(maxsize=4096)
def _given_color(red: float, green: float, blue: float) -> tuple[_Triple, float | None]:
    rgb = _triple(emitter_rgb(light_pb2.LightColor(rgb=light_pb2.RgbColor(red=red, green=green, blue=blue))))
    return rgb, temperature_of_white(rgb)


def daylight_attributes(light: light_pb2.SunSkyLight, found: sun_sky.Daylight) -> SourceAttributes:
    """Return what daylight looks like of which `found` reaches the subject."""
    level = luminance_of_one(found.rgb)
    return SourceAttributes(
        light_pb2.LIGHT_KIND_SUN_SKY,
        wrap_deg(light.sun_azimuth_deg) if found.has_sun else None,
        light.sun_elevation_deg if found.has_sun else None,
        found.hardness,
        found.diameter_deg if found.has_sun else None,
        found.temperature_k,
        level,
        (found.rgb[0] / level, found.rgb[1] / level, found.rgb[2] / level) if level else None,
    )


def _harmonics(light: light_pb2.SphericalHarmonicsLight) -> SourceAttributes:
    kind, table = light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS, list(light.coefficients)
    red, green, blue = table[:9], table[9:18], table[18:]
    constant, y, z, x = map(luminance_of_one, zip(red[:4], green[:4], blue[:4], strict=True))
    length = math.sqrt(x * x + y * y + z * z)
    # |∫ L ω dω| / ∫ L dω = |linear band| / (√3 · constant band).
    if length <= _MIN_DIRECTIONALITY * math.sqrt(3.0) * abs(constant):
        even = math.pi * spherical_harmonics.CONSTANT
        return _smooth(kind, None, [even * channel[0] for channel in (red, green, blue)], 0.0)
    direction = (x / length, y / length, z / length)
    weights = spherical_harmonics.facing_weights(direction)
    return _smooth(kind, direction, [sum(map(mul, weights, channel)) for channel in (red, green, blue)], 0.0)


def _environment(light: light_pb2.EnvironmentMapLight, radiance: Radiance) -> SourceAttributes:
    kind = light_pb2.LIGHT_KIND_ENVIRONMENT_MAP
    lobe = environment_map.dominant_lobe(radiance)
    if lobe is None:
        return SourceAttributes(kind, irradiance=0.0)
    direction = None
    if lobe.directionality >= _MIN_DIRECTIONALITY and lobe.off_mean_deg <= _MAX_OFF_MEAN_DEG:
        direction = _triple(scene_to_level(lobe.direction, -light.rotation_deg))
    rgb = _triple(lobe.irradiance_rgb * 2.0**light.exposure_ev)
    return _smooth(kind, direction, rgb, hardness_of_size(lobe.size_deg), lobe.size_deg)


def background_attributes(
    light: light_pb2.BackgroundLight, radiance: Radiance, half_angle_deg: float = BACKGROUND_HALF_ANGLE_DEG
) -> SourceAttributes:
    """Return what an upright picture (H, W, 3) behind the subject looks like from it, across twice `half_angle_deg`.

    Its light comes from where the picture is bright: at the back left from one that is bright on the left.
    """
    half_width = math.tan(math.radians(half_angle_deg))
    half_height = half_width * radiance.shape[0] / radiance.shape[1]
    mean = radiance.reshape(-1, 3).mean(axis=0, dtype=np.float64) * 2.0**light.exposure_ev
    rgb = _triple(mean * rectangle_irradiance(half_width, half_height))
    size_deg = math.degrees(2.0 * math.atan(math.sqrt(half_width * half_height)))
    toward = _middle_of_panel(radiance, half_width, half_height)
    return _smooth(light_pb2.LIGHT_KIND_BACKGROUND, toward, rgb, hardness_of_size(size_deg), size_deg)


def _middle_of_panel(radiance: Radiance, half_width: float, half_height: float) -> _Triple:
    """Return the mean direction in which a panel at distance 1 behind the subject lights it; behind for a black one."""
    height, width = radiance.shape[:2]
    x = half_width * ((2.0 * np.arange(width) + 1.0) / width - 1.0)
    y = half_height * (1.0 - (2.0 * np.arange(height) + 1.0) / height)[:, None]
    # Solid angles fall with the third power of the distance, and directions are unit vectors.
    weight = luminance(radiance).astype(np.float64) / (1.0 + x * x + y * y) ** 2
    right, up, back = float((weight * x).sum()), float((weight * y).sum()), float(weight.sum())
    length = math.sqrt(right * right + up * up + back * back)
    if length == 0.0:
        return 0.0, 0.0, -1.0
    # Rounded, so that an even picture is at azimuth 180° rather than just short of −180°.
    return round(right / length, 9) + 0.0, round(up / length, 9) + 0.0, -back / length


def _smooth(
    kind: "light_pb2.LightKind.ValueType",
    direction: _Triple | None,
    rgb: Sequence[float],
    hardness: float,
    size_deg: float | None = None,
) -> SourceAttributes:
    azimuth, elevation = (None, None) if direction is None else angles_of(direction)
    return SourceAttributes(kind, azimuth, elevation, hardness, size_deg, *_color_and_level(rgb))


def _color_and_level(rgb: Sequence[float]) -> tuple[float | None, float, _Triple | None]:
    """Temperature, luminance and colour of luminance 1 of an irradiance."""
    lit = (max(rgb[0], 0.0), max(rgb[1], 0.0), max(rgb[2], 0.0))
    level = luminance_of_one(lit)
    if level <= 0.0:
        return None, 0.0, None
    return temperature_of_white(lit), level, (lit[0] / level, lit[1] / level, lit[2] / level)


def _triple(values: Array) -> _Triple:
    first, second, third = values.tolist()
    return first, second, third
