"""Constructors of light sources, in the units of light.proto."""

import math
from collections.abc import Sequence

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill_light.axes import direction
from lumenmill_light.color import luminance_of_one

__all__ = [
    "area_light",
    "directional_light",
    "environment_light",
    "kelvin",
    "rgb",
    "spherical_harmonics_light",
    "sun_sky_light",
]


def kelvin(temperature_k: float) -> light_pb2.LightColor:
    """Return the colour of a correlated colour temperature in kelvin."""
    return light_pb2.LightColor(temperature_k=temperature_k)


def rgb(linear: Sequence[float]) -> light_pb2.LightColor:
    """Return the colour of a linear Rec. 709 triple."""
    return light_pb2.LightColor(rgb=light_pb2.RgbColor(red=linear[0], green=linear[1], blue=linear[2]))


def area_light(
    azimuth_deg: float,
    elevation_deg: float,
    width_ratio: float,
    height_ratio: float,
    distance_ratio: float,
    irradiance: float,
    color: light_pb2.LightColor,
) -> light_pb2.LightSource:
    """Return a rectangular emitter; lengths in bounding radii of the subject, irradiance as in light.proto."""
    return light_pb2.LightSource(
        area=light_pb2.AreaLight(
            azimuth_deg=azimuth_deg,
            elevation_deg=elevation_deg,
            distance_ratio=distance_ratio,
            width_ratio=width_ratio,
            height_ratio=height_ratio,
            irradiance=irradiance,
            color=color,
        )
    )


def directional_light(
    azimuth_deg: float,
    elevation_deg: float,
    angular_diameter_deg: float,
    irradiance: float,
    color: light_pb2.LightColor,
) -> light_pb2.LightSource:
    """Return light from far away; irradiance π lights white to radiance 1."""
    return light_pb2.LightSource(
        directional=light_pb2.DirectionalLight(
            azimuth_deg=azimuth_deg,
            elevation_deg=elevation_deg,
            irradiance=irradiance,
            color=color,
            angular_diameter_deg=angular_diameter_deg,
        )
    )


def sun_sky_light(
    azimuth_deg: float,
    elevation_deg: float,
    turbidity: float,
    sun_scale: float,
    sky_scale: float,
    sun_diameter_deg: float,
) -> light_pb2.LightSource:
    """Return daylight with a sun; the scales multiply the radiance of disc and dome."""
    return light_pb2.LightSource(
        sun_sky=light_pb2.SunSkyLight(
            sun_azimuth_deg=azimuth_deg,
            sun_elevation_deg=elevation_deg,
            turbidity=turbidity,
            sun_scale=sun_scale,
            sky_scale=sky_scale,
            sun_diameter_deg=sun_diameter_deg,
        )
    )


def environment_light(
    environment_map: artifact_pb2.Artifact, rotation_deg: float, exposure_ev: float
) -> light_pb2.LightSource:
    """Return light from an environment map turned by `rotation_deg` and exposed by `exposure_ev` stops."""
    return light_pb2.LightSource(
        environment_map=light_pb2.EnvironmentMapLight(
            map=environment_map, rotation_deg=rotation_deg, exposure_ev=exposure_ev
        )
    )


def spherical_harmonics_light(
    azimuth_deg: float,
    elevation_deg: float,
    directionality: float,
    mean_irradiance: float,
    linear_rgb: Sequence[float],
) -> light_pb2.LightSource:
    """Return smooth light around a direction as 27 coefficients of radiance.

    Radiance is L(ω) = L₀ · (1 + a·ω·d + b·P₂(ω·d)), with a = 0.9·directionality and b = 0.35·directionality, which
    stays positive in all directions for directionality 0 to 1. `mean_irradiance` is π·L₀.
    """
    x, y, z = direction(azimuth_deg, elevation_deg)
    mean_radiance = mean_irradiance / math.pi
    band0 = mean_radiance * math.sqrt(4.0 * math.pi)
    band1 = mean_radiance * 0.9 * directionality * math.sqrt(4.0 * math.pi / 3.0)
    band2 = mean_radiance * 0.35 * directionality * math.sqrt(4.0 * math.pi / 5.0)
    root3 = math.sqrt(3.0)
    white = (
        band0,
        band1 * y,
        band1 * z,
        band1 * x,
        band2 * root3 * x * y,
        band2 * root3 * y * z,
        band2 * 0.5 * (3.0 * z * z - 1.0),
        band2 * root3 * x * z,
        band2 * 0.5 * root3 * (x * x - y * y),
    )
    level = luminance_of_one(linear_rgb)
    coefficients = [value * channel / level for channel in linear_rgb for value in white]
    return light_pb2.LightSource(spherical_harmonics=light_pb2.SphericalHarmonicsLight(coefficients=coefficients))
