"""A light as an environment: radiance from all around the subject, in the axes of light.proto.

Legend: H × W pixels of an equirectangular map; azimuth falls from 180° at its left edge to −180° at its right,
elevation from 90° at the top to −90°.
"""

from collections.abc import Callable

import numpy as np
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import (
    AreaLight,
    BackgroundLight,
    DirectionalLight,
    EnvironmentMapLight,
    Light,
    LightColor,
    LightSource,
    SphericalHarmonicsLight,
    SunSkyLight,
)
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import reduced
from numpy.typing import NDArray

__all__ = ["LUMINANCE", "RGB_TO_XYZ", "Array", "Assets", "directions", "environment_of", "seen_behind", "solid_angles"]

Array = NDArray[np.float32]
Assets = Callable[[Artifact, str], Array]
"""Reads the map (H, W, 3) radiance, or the picture (H, W, 3) linear, of an artifact; told the field for refusals."""

HEIGHT, WIDTH = 64, 128
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
# IEC 61966-2-1.
RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
# Half of a pixel's diagonal: smaller sources are drawn as large as this.
_MIN_RADIUS_DEG = 2.0
# Field of view that a background picture takes, across its width.
_BACKGROUND_FOV_DEG = 60.0
# Larger maps are averaged over whole blocks first: sums are kept in double floats.
_MAX_SUMMED_PX = 1024
_SKY_OVER_SUN = 0.25
_GROUND_ALBEDO = 0.2


def directions(height: int = HEIGHT, width: int = WIDTH) -> Array:
    """Unit vectors (H, W, 3) towards the pixels of a map."""
    azimuth = np.radians(180.0 - 360.0 * (np.arange(width) + 0.5) / width)
    elevation = np.radians(90.0 - 180.0 * (np.arange(height) + 0.5) / height)[:, None]
    x, y, z = np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(np.float32)


def solid_angles(height: int = HEIGHT, width: int = WIDTH) -> Array:
    """Steradians (H, 1) of the pixels of each row."""
    edges = np.radians(90.0 - 180.0 * np.arange(height + 1) / height)
    return ((np.sin(edges[:-1]) - np.sin(edges[1:])) * 2 * np.pi / width)[:, None].astype(np.float32)


def environment_of(light: Light, assets: Assets, field: str) -> Array:
    """The sum of the sources of a light as a map (64, 128, 3).

    Raises:
        InvalidArgumentError: a map or picture cannot be read, or nothing shines; names the field.
    """
    total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for index, source in enumerate(light.sources):
        total += _of_source(source, assets, f"{field}.sources[{index}]")
    if not (total > 0).any():
        raise InvalidArgumentError(f"{field}.sources", "give no light at all")
    return total


def _of_source(source: LightSource, assets: Assets, field: str) -> Array:
    match source.WhichOneof("kind"):
        case "environment_map":
            return _of_map(source.environment_map, assets(source.environment_map.map, f"{field}.environment_map.map"))
        case "background":
            return _of_background(source.background, assets(source.background.image, f"{field}.background.image"))
        case "spherical_harmonics":
            return _of_harmonics(source.spherical_harmonics)
        case "sun_sky":
            return _of_sun_and_sky(source.sun_sky)
        case "area":
            return _of_area(source.area)
        case _:
            return _of_parallel(source.directional)


def _of_map(light: EnvironmentMapLight, radiance: Array) -> Array:
    small = resized(reduced(radiance, _MAX_SUMMED_PX), HEIGHT, WIDTH)
    turned = np.roll(small, -round(light.rotation_deg / 360.0 * WIDTH), axis=1)
    return np.asarray(turned * np.float32(2.0**light.exposure_ev), np.float32)


def resized(image: Array, height: int, width: int) -> Array:
    """The image (H, W, C) at another size; each pixel is the mean of what it covers, so that energy is kept."""
    for axis, size in ((0, height), (1, width)):
        edges = np.arange(size + 1) * image.shape[axis] / size
        low, high = np.floor(edges[:-1]).astype(int), np.ceil(edges[1:]).astype(int)
        sums = np.concatenate([np.zeros_like(image.take([0], axis), np.float64), image.cumsum(axis, np.float64)], axis)
        counts = np.moveaxis((high - low).reshape(-1, 1, 1), 0, axis)
        image = ((sums.take(high, axis) - sums.take(low, axis)) / counts).astype(np.float32)
    return image


def _of_background(light: BackgroundLight, linear: Array) -> Array:
    """The picture behind the subject; beyond its edges it goes on as they are. Nothing comes from the camera's side."""
    toward = directions()
    depth = np.maximum(-toward[..., 2], 1e-3)
    half = np.tan(np.radians(_BACKGROUND_FOV_DEG / 2))
    height, width = linear.shape[:2]
    column = (toward[..., 0] / depth / half * 0.5 + 0.5) * width
    row = (0.5 - toward[..., 1] / depth / half * 0.5 * width / height) * height
    rows, columns = np.clip(row, 0, height - 1).astype(int), np.clip(column, 0, width - 1).astype(int)
    behind = (toward[..., 2] < 0)[..., None]
    return np.asarray(np.where(behind, linear[rows, columns], 0) * np.float32(2.0**light.exposure_ev), np.float32)


def _of_harmonics(light: SphericalHarmonicsLight) -> Array:
    """Ramamoorthi and Hanrahan, SIGGRAPH 2001; negative radiance is none."""
    x, y, z = np.moveaxis(directions(), -1, 0)
    basis = [
        np.full_like(x, 0.282095),
        *(0.488603 * axis for axis in (y, z, x)),
        1.092548 * x * y,
        1.092548 * y * z,
        0.315392 * (3 * z * z - 1),
        1.092548 * x * z,
        0.546274 * (x * x - y * y),
    ]
    coefficients = np.array(light.coefficients, np.float32).reshape(3, 9)
    return np.asarray(np.maximum(np.stack(basis, -1) @ coefficients.T, 0), np.float32)


def _of_sun_and_sky(light: SunSkyLight) -> Array:
    """An approximation: a disc whose colour warms towards the horizon, a blue dome with a quarter of its irradiance,
    and a ground that sends a fifth back. A clear high sun gives an irradiance of π."""
    sun = light.sun_scale if light.HasField("sun_scale") else 1.0
    sky = light.sky_scale if light.HasField("sky_scale") else 1.0
    height = np.sin(np.radians(light.sun_elevation_deg))
    kelvin = 2000.0 + 3800.0 * min(1.0, 2.0 * height)
    irradiance = np.pi * min(1.0, 0.15 + height)
    radius = max(light.sun_diameter_deg or 0.53, 0.0) / 2
    disc = _disc(light.sun_azimuth_deg, light.sun_elevation_deg, radius) * sun * irradiance * _black_body(kelvin)
    up = directions()[..., 1:2]
    dome = _SKY_OVER_SUN * irradiance / np.pi * _black_body(12000.0 - 5000.0 * min(1.0, light.turbidity / 10.0))
    ground = _GROUND_ALBEDO * (sun * irradiance * height / np.pi + sky * dome.mean())
    return np.asarray(disc + np.where(up > 0, sky * dome, ground), np.float32)


def _of_parallel(light: DirectionalLight) -> Array:
    disc = _disc(light.azimuth_deg, light.elevation_deg, light.angular_diameter_deg / 2)
    return np.asarray(disc * light.irradiance * _rgb(light.color if light.HasField("color") else None), np.float32)


def _of_area(light: AreaLight) -> Array:
    """The disc of equal solid angle."""
    distance, width = light.distance_ratio or 4.0, light.width_ratio or 1.0
    area = width * (light.height_ratio or width)
    radius = np.degrees(np.arctan2(np.sqrt(area / np.pi), distance))
    disc = _disc(light.azimuth_deg, light.elevation_deg, float(radius))
    return np.asarray(disc * light.irradiance * _rgb(light.color if light.HasField("color") else None), np.float32)


def _disc(azimuth_deg: float, elevation_deg: float, radius_deg: float) -> Array:
    """Radiance (H, W, 1) of a disc that gives an irradiance of 1 on what faces it; its edge is a pixel soft."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    centre = np.array(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], np.float32
    )
    cosine = np.clip(directions() @ centre, -1, 1)
    inside = np.clip(0.5 + (max(radius_deg, _MIN_RADIUS_DEG) - np.degrees(np.arccos(cosine))) / 180.0 * HEIGHT, 0, 1)
    irradiance = float((inside * np.maximum(cosine, 0) * solid_angles()).sum())
    return np.asarray(inside[..., None] / irradiance, np.float32)


def _rgb(color: LightColor | None) -> Array:
    if color is None:
        return np.ones(3, np.float32)
    if color.WhichOneof("value") == "temperature_k":
        return _black_body(color.temperature_k)
    rgb = np.array([color.rgb.red, color.rgb.green, color.rgb.blue], np.float32)
    level = float(rgb @ LUMINANCE)
    return rgb / np.float32(level) if level > 0 else np.ones(3, np.float32)


def _black_body(kelvin: float) -> Array:
    """Linear Rec. 709 of luminance 1 of a black body, without what lies outside of the gamut (Krystek 1985)."""
    u = (0.860117757 + 1.54118254e-4 * kelvin + 1.28641212e-7 * kelvin**2) / (
        1 + 8.42420235e-4 * kelvin + 7.08145163e-7 * kelvin**2
    )
    v = (0.317398726 + 4.22806245e-5 * kelvin + 4.20481691e-8 * kelvin**2) / (
        1 - 2.89741816e-5 * kelvin + 1.61456053e-7 * kelvin**2
    )
    x, y = 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)
    rgb = np.maximum(np.linalg.solve(RGB_TO_XYZ, np.array([x / y, 1.0, (1 - x - y) / y])), 0)
    return np.asarray(rgb / (rgb @ LUMINANCE), np.float32)


def seen_behind(radiance: Array, width: int, height: int, fov_deg: float = _BACKGROUND_FOV_DEG) -> Array:
    """What the reference camera sees of a map (H, W, 3) behind the subject: perspective, (height, width, 3)."""
    half = np.tan(np.radians(fov_deg / 2))
    x = ((np.arange(width) + 0.5) / width * 2 - 1) * half
    y = (1 - (np.arange(height) + 0.5) / height * 2) * half * height / width
    right, up = np.meshgrid(x, y)
    azimuth = np.degrees(np.arctan2(right, -1.0))
    elevation = np.degrees(np.arctan2(up, np.hypot(right, 1.0)))
    rows = np.clip((90.0 - elevation) / 180.0 * radiance.shape[0], 0, radiance.shape[0] - 1).astype(int)
    columns = np.floor((180.0 - azimuth) / 360.0 * radiance.shape[1]).astype(int) % radiance.shape[1]
    return np.asarray(radiance[rows, columns], np.float32)
