"""Light from all around, and how much of it reaches the visible surfaces of a scene."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lumenmill.common.v1 import light_pb2
from lumenmill_light import environment_map, spherical_harmonics, sun_sky
from lumenmill_light.color import LUMINANCE, Array
from lumenmill_light.environment_map import Radiance, directions, solid_angles
from lumenmill_light.source_attributes import RadianceOf

__all__ = ["SURROUNDINGS_HEIGHT", "Reach", "Surroundings", "sky_radiance", "surrounding_radiance"]

SURROUNDINGS_HEIGHT = 12
"""Pixels of the maps of Surroundings from zenith to nadir, as studio fills them."""
# Directions that this part of the visible surfaces faces count half.
_HALF_FACED = 0.005


class Reach(NamedTuple):
    """Irradiance of a source of unit irradiance, averaged over the visible surfaces.

    Attributes:
        arriving: with occlusion.
        facing: without it.
    """

    arriving: float
    facing: float

    @property
    def unoccluded_fraction(self) -> float:
        """The fraction that arrives, 0 to 1; 0 where no visible surface faces the source."""
        return min(max(self.arriving / self.facing, 0.0), 1.0) if self.facing > 0.0 else 0.0


@dataclass(frozen=True)
class Surroundings:
    """From where light can reach the visible surfaces: means of max(0, n·ω) over them, by direction ω.

    Both are equirectangular (H, W), in the axes of the scene, laid out as an environment map at rotation 0.

    Attributes:
        arriving_hw: over the surfaces that ω reaches.
        facing_hw: over all.
    """

    arriving_hw: Array
    facing_hw: Array

    def reach(self, radiance: Radiance) -> Reach:
        """Return the mean irradiance, as luminance, that a map of radiance (H, W, 3) gives the visible surfaces.

        Radiance below zero, which harmonics have, counts as none: with it, more could arrive than is there.
        """
        small = (
            _resized_to(np.maximum(radiance, 0.0), self.facing_hw.shape)
            * solid_angles(*self.facing_hw.shape)[..., None]
        )
        levels = small @ LUMINANCE
        return Reach(float((levels * self.arriving_hw).sum()), float((levels * self.facing_hw).sum()))

    def arrived(self, radiance: Radiance, rotation_deg: float = 0.0) -> Radiance:
        """Return the radiance (64, 128, 3) that is not occluded, of a map that is turned by `rotation_deg`.

        A direction from which light reaches half of the surfaces that face it has half of its radiance. Directions that
        no visible surface faces are unknown. They are given the median of the others, so that even light stays even.
        """
        small = environment_map.reduced(radiance)
        height, width = small.shape[:2]
        grids = (_enlarged(grid, height, width) for grid in (self.arriving_hw, self.facing_hw))
        arriving, facing = (environment_map.turned(grid, -rotation_deg)[..., 0] for grid in grids)
        reached = small * np.divide(arriving, facing, out=np.zeros_like(facing), where=facing > 0)[..., None]
        faced = (facing / (facing + _HALF_FACED))[..., None]
        weights = (facing * solid_angles(height, width)).ravel()
        unknown = np.array([_weighted_median(channel, weights) for channel in reached.reshape(-1, 3).T])
        return np.asarray(faced * reached + (1.0 - faced) * unknown)


def surrounding_radiance(source: light_pb2.LightSource, radiance_of: RadianceOf) -> Radiance:
    """Return the radiance (64, 128, 3) of light from all around, in the axes of the scene; of daylight, of its sky."""
    toward = directions()
    match source.WhichOneof("kind"):
        case "environment_map":
            light = source.environment_map
            small = environment_map.reduced(radiance_of(light.map))
            return np.asarray(environment_map.turned(small, light.rotation_deg) * 2.0**light.exposure_ev)
        case "spherical_harmonics":
            table = np.array(source.spherical_harmonics.coefficients).reshape(3, 9)
            return np.asarray(spherical_harmonics.basis(toward) @ table.T)
        case "sun_sky":
            return sky_radiance(source.sun_sky)
        case _:
            raise ValueError("no light from all around")


def sky_radiance(light: light_pb2.SunSkyLight) -> Radiance:
    """Return the radiance (64, 128, 3) of the sky of daylight, without its sun; nothing comes from below."""
    toward = directions()
    table = sun_sky.sky_harmonics(light.sun_elevation_deg, sun_sky.turbidity(light), light.sun_azimuth_deg)
    dome = np.maximum(spherical_harmonics.basis(toward) @ table.T, 0.0) * sun_sky.sky_scale(light)
    return np.where(toward[..., 1:2] > 0.0, dome, 0.0)


def _weighted_median(values: Radiance, weights: Array) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][min(int(np.searchsorted(below, below[-1] / 2.0)), len(values) - 1)])


def _resized_to(radiance: Radiance, shape: tuple[int, ...]) -> Radiance:
    return environment_map.resized(environment_map.reduced(radiance), shape[0], shape[1])


def _enlarged(grid_hw: Array, height: int, width: int) -> Array:
    """Return a map (h, w) at a larger size (H, W, 1), interpolated around the horizon and up to the poles."""
    rows = np.clip((np.arange(height) + 0.5) * grid_hw.shape[0] / height - 0.5, 0, grid_hw.shape[0] - 1)
    columns = (np.arange(width) + 0.5) * grid_hw.shape[1] / width - 0.5
    low_row, low_column = np.floor(rows).astype(int), np.floor(columns).astype(int)
    high_row = np.minimum(low_row + 1, grid_hw.shape[0] - 1)
    left, right = low_column % grid_hw.shape[1], (low_column + 1) % grid_hw.shape[1]
    down, across = (rows - low_row)[:, None], columns - low_column
    upper = grid_hw[low_row][:, left] * (1 - across) + grid_hw[low_row][:, right] * across
    lower = grid_hw[high_row][:, left] * (1 - across) + grid_hw[high_row][:, right] * across
    return np.asarray(upper * (1 - down) + lower * down)[..., None]
