"""A light as one environment map: the radiance from all around the subject, drawn from its sources.

The axes are those of environment_map.py; maps are 64 × 128 pixels.
"""

import math

import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1 import light_pb2
from lumenmill_light import environment_map, spherical_harmonics, sun_sky
from lumenmill_light.area import BACKGROUND_HALF_ANGLE_DEG, area_disc_radius_deg
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import Array, emitter_rgb
from lumenmill_light.environment_map import Radiance, directions, solid_angles, turned
from lumenmill_light.source_attributes import RadianceOf

__all__ = ["HEIGHT", "WIDTH", "environment_of"]

HEIGHT, WIDTH = 64, 128
# Half of a pixel's diagonal: smaller sources are drawn as large as this.
_MIN_RADIUS_DEG = 2.0
# The ground under the sky, which it lights, since a subject outdoors stands on something.
_GROUND_ALBEDO = 0.25


def environment_of(light: light_pb2.Light, radiance_of: RadianceOf) -> NDArray[np.float32]:
    """Return the sum of the sources of a light as a map (64, 128, 3); all zero for a dark light."""
    total = np.zeros((HEIGHT, WIDTH, 3))
    for source in light.sources:
        total += _of_source(source, radiance_of)
    return total.astype(np.float32)


def _of_source(source: light_pb2.LightSource, radiance_of: RadianceOf) -> Radiance:
    match source.WhichOneof("kind"):
        case "environment_map":
            light = source.environment_map
            small = environment_map.reduced(radiance_of(light.map))
            return np.asarray(turned(small, light.rotation_deg) * 2.0**light.exposure_ev)
        case "background":
            panel = _of_background(radiance_of(source.background.image))
            return np.asarray(panel * 2.0**source.background.exposure_ev)
        case "spherical_harmonics":
            table = np.array(source.spherical_harmonics.coefficients).reshape(3, 9)
            return np.asarray(np.maximum(spherical_harmonics.basis(directions(HEIGHT)) @ table.T, 0))
        case "sun_sky":
            return _of_daylight(source.sun_sky)
        case "area":
            return _of_emitter(source.area, area_disc_radius_deg(source.area))
        case _:
            return _of_emitter(source.directional, source.directional.angular_diameter_deg / 2)


def _of_background(linear: Radiance) -> Radiance:
    """Draw the picture as an upright panel behind the subject, and nothing around it."""
    toward = directions(HEIGHT)
    depth = np.maximum(-toward[..., 2], 1e-3)
    half = math.tan(math.radians(BACKGROUND_HALF_ANGLE_DEG))
    height, width = linear.shape[:2]
    column = toward[..., 0] / depth / half * 0.5 + 0.5
    row = 0.5 - toward[..., 1] / depth / half * 0.5 * width / height
    on_panel = (toward[..., 2] < 0) & (np.abs(column - 0.5) <= 0.5) & (np.abs(row - 0.5) <= 0.5)
    rows, columns = (np.clip(part * size, 0, size - 1).astype(int) for part, size in ((row, height), (column, width)))
    return np.where(on_panel[..., None], linear[rows, columns], 0)


def _of_daylight(light: light_pb2.SunSkyLight) -> Radiance:
    elevation_deg, turbidity = light.sun_elevation_deg, sun_sky.turbidity(light)
    sun = sun_sky.sun_scale(light) * sun_sky.sun_irradiance(elevation_deg, turbidity)
    disc = _disc(light.sun_azimuth_deg, elevation_deg, sun_sky.sun_diameter_deg(light) / 2) * sun
    table = sun_sky.sky_scale(light) * sun_sky.sky_harmonics(elevation_deg, turbidity, light.sun_azimuth_deg)
    dome = np.maximum(spherical_harmonics.basis(directions(HEIGHT)) @ table.T, 0)
    up = np.array([0.0, 1.0, 0.0])
    on_ground = sun * math.sin(math.radians(elevation_deg)) + spherical_harmonics.irradiance(table, up)
    ground = _GROUND_ALBEDO / math.pi * np.maximum(on_ground, 0)
    return np.where(directions(HEIGHT)[..., 1:2] > 0, disc + dome, disc + ground)


def _of_emitter(emitter: light_pb2.AreaLight | light_pb2.DirectionalLight, radius_deg: float) -> Radiance:
    rgb = emitter_rgb(emitter.color if emitter.HasField("color") else None)
    return _disc(emitter.azimuth_deg, emitter.elevation_deg, radius_deg) * emitter.irradiance * rgb


def _disc(azimuth_deg: float, elevation_deg: float, radius_deg: float) -> Array:
    """Radiance (H, W, 1) of a disc that gives an irradiance of 1 on what faces it; its edge is a pixel soft."""
    cosine = np.clip(directions(HEIGHT) @ unit_vector(azimuth_deg, elevation_deg), -1, 1)
    inside = np.clip(0.5 + (max(radius_deg, _MIN_RADIUS_DEG) - np.degrees(np.arccos(cosine))) / 180.0 * HEIGHT, 0, 1)
    irradiance = float((inside * np.maximum(cosine, 0) * solid_angles(HEIGHT)).sum())
    return np.asarray(inside[..., None] / irradiance)
