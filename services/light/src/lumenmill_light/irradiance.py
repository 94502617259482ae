"""Irradiance on surfaces that nothing shades: what a white Lambertian ball shows of a light."""

import math
from functools import lru_cache

import numpy as np

from lumenmill.common.v1 import light_pb2
from lumenmill_light import environment_map, spherical_harmonics, sun_sky
from lumenmill_light.area import area_size_deg
from lumenmill_light.axes import Vector, unit_vector
from lumenmill_light.color import Array, emitter_rgb
from lumenmill_light.environment_map import Radiance
from lumenmill_light.spherical_harmonics import sphere_directions

__all__ = ["facing", "irradiance_of_source", "rectangle_irradiance"]


def rectangle_irradiance(half_width: float, half_height: float) -> float:
    """Return the irradiance of a rectangle of radiance 1 on a parallel patch on its axis, up to π.

    Args:
        half_width: half of its width over its distance.
        half_height: half of its height over its distance.

    Form factor of a rectangle: Howell, A Catalog of Radiation Heat Transfer Configuration Factors, C-11.
    """
    a, b = half_width, half_height
    root_a, root_b = np.sqrt(1 + a * a), np.sqrt(1 + b * b)
    corner = float((a / root_a * np.arctan(b / root_a) + b / root_b * np.arctan(a / root_b)) / (2 * np.pi))
    return float(np.pi * 4 * corner)


def facing(cosines: Vector, half_angle_deg: float) -> Array:
    """Return the share of a disc source's irradiance that surfaces at n·d = `cosines` (...) receive, (...)."""
    return np.interp(cosines, np.linspace(-1.0, 1.0, 401), _facing_table(half_angle_deg))


def irradiance_of_source(
    source: light_pb2.LightSource, normals: Vector, radiance: Radiance | None = None
) -> Array | None:
    """Return irradiance (N, 3) on surfaces with unit normals (N, 3) in the axes of the scene.

    `radiance` (H, W, 3) is that of an environment map. None where a map is not given, and for backgrounds, whose
    irradiance depends on the scene.
    """
    match source.WhichOneof("kind"):
        case "area":
            return _of_disc(source.area, area_size_deg(source.area), normals)
        case "directional":
            return _of_disc(source.directional, source.directional.angular_diameter_deg, normals)
        case "sun_sky":
            return _of_daylight(source.sun_sky, normals)
        case "spherical_harmonics":
            table = np.array(source.spherical_harmonics.coefficients).reshape(3, 9)
            return np.maximum(spherical_harmonics.irradiance(table, normals), 0.0)
        case "environment_map" if radiance is not None:
            light = source.environment_map
            table = spherical_harmonics.rotated(environment_map.projected(radiance), light.rotation_deg)
            lit = np.maximum(spherical_harmonics.irradiance(table, normals), 0.0)
            return np.asarray(lit * 2.0**light.exposure_ev)
        case _:
            return None


def _of_disc(emitter: light_pb2.AreaLight | light_pb2.DirectionalLight, size_deg: float, normals: Vector) -> Array:
    rgb = emitter.irradiance * emitter_rgb(emitter.color if emitter.HasField("color") else None)
    lit = facing(normals @ unit_vector(emitter.azimuth_deg, emitter.elevation_deg), size_deg / 2.0)
    return np.asarray(lit[:, None] * rgb)


def _of_daylight(light: light_pb2.SunSkyLight, normals: Vector) -> Array:
    toward = unit_vector(light.sun_azimuth_deg, light.sun_elevation_deg)
    lit = facing(normals @ toward, sun_sky.sun_diameter_deg(light) / 2.0)
    sun = lit[:, None] * sun_sky.sun_irradiance(light.sun_elevation_deg, sun_sky.turbidity(light))
    sky = sun_sky.sky_harmonics(light.sun_elevation_deg, sun_sky.turbidity(light), light.sun_azimuth_deg)
    dome = np.maximum(spherical_harmonics.irradiance(sky, normals), 0.0)
    return np.asarray(sun_sky.sun_scale(light) * sun + sun_sky.sky_scale(light) * dome)


@lru_cache(maxsize=64)
def _facing_table(half_angle_deg: float) -> Array:
    """Irradiance of a uniform disc of radiance over that of the same disc seen face on, by n·d from −1 to 1."""
    cosines = np.linspace(-1.0, 1.0, 401)
    if half_angle_deg == 0.0:
        return np.maximum(cosines, 0.0)
    angle = np.arccos(np.clip(cosines, -1.0, 1.0))
    normals = np.stack([np.sin(angle), np.zeros_like(angle), cosines], -1)
    points = sphere_directions(20000)[:, [0, 2, 1]]
    disc = points[points[:, 2] >= math.cos(math.radians(half_angle_deg))]
    if len(disc) < 8:
        return np.maximum(cosines, 0.0)
    lit = np.maximum(normals @ disc.T, 0.0).mean(axis=1)
    return np.asarray(lit / lit[-1])
