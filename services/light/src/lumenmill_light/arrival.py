"""What arrives of a light on the surfaces that a camera sees, given how much of each source reaches them.

| what arrives of         | rule |
| ----------------------- | ---- |
| lamp, parallel light    | its own direction, hardness and colour; its irradiance times the unoccluded fraction |
| sun and sky             | the sun as a parallel light, the sky as light from all around, after the rules of daylight |
| map, harmonics, sky     | the rules of `attributes`, applied to the radiance that is not occluded |
| background              | as a lamp |

Light of which next to nothing arrives directly has no direction, no colour and hardness 0: only reflections arrive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lumenmill.common.v1 import light_pb2
from lumenmill_light import environment_map, spherical_harmonics, sun_sky
from lumenmill_light.attributes import RadianceOf, SourceAttributes, daylight_attributes, source_attributes, total_of
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import LUMINANCE, Array, luminance_of_one, temperature_of_white
from lumenmill_light.environment_map import Radiance, directions, solid_angles
from lumenmill_light.sun_sky import Daylight

__all__ = [
    "MIN_UNOCCLUDED_FRACTION",
    "SURROUNDINGS_HEIGHT",
    "Arrival",
    "Reach",
    "Surroundings",
    "arrived_light",
    "arrived_source",
    "surrounding_radiance",
]

MIN_UNOCCLUDED_FRACTION = 0.01
"""A source of which less than this arrives directly is known by its reflections alone."""
SURROUNDINGS_HEIGHT = 16
_MIN_SHARE = 0.01
# Directions that this part of the visible surfaces faces count half.
_HALF_FACED = 0.005
# A sky without sun has a direction where it is seen through an opening: less of it than this, and not from above.
_MAX_OPENING, _MAX_OPENING_ELEVATION_DEG = 0.5, 60.0


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
        return self.arriving / self.facing if self.facing > 0.0 else 0.0


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
        """Return the mean irradiance, as luminance, that a map of radiance (H, W, 3) gives the visible surfaces."""
        small = _resized_to(radiance, self.facing_hw.shape) * solid_angles(*self.facing_hw.shape)[..., None]
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


@dataclass(frozen=True)
class Arrival:
    """What arrives of one source.

    Attributes:
        index: of the source in its light.
        attributes: of what arrives directly, in the axes of the scene.
        unoccluded_fraction: fraction of the irradiance of the visible surfaces that is not occluded.
        share: fraction of the light of the visible surfaces; those of a light need not add up to 1.
    """

    index: int
    attributes: SourceAttributes
    unoccluded_fraction: float
    share: float


def arrived_light(arrivals: Sequence[Arrival], camera_azimuth_deg: float = 0.0) -> light_pb2.ArrivedLight:
    """Return the light that arrives, relative to a camera; sources with a share under 1 % are left out."""
    total = sum(arrival.share for arrival in arrivals)
    if total <= 0.0:
        return light_pb2.ArrivedLight(attributes=light_pb2.LightAttributes())
    seen = sorted((found for found in arrivals if found.share >= _MIN_SHARE * total), key=lambda found: -found.share)
    return light_pb2.ArrivedLight(
        attributes=total_of([found.attributes for found in seen], camera_azimuth_deg),
        sources=[_to_proto(found, found.share / total, camera_azimuth_deg) for found in seen],
    )


def _to_proto(arrival: Arrival, share: float, camera_azimuth_deg: float) -> light_pb2.ArrivedSource:
    found = light_pb2.ArrivedSource(
        source_index=arrival.index,
        attributes=arrival.attributes.to_proto(camera_azimuth_deg),
        share=share,
        unoccluded_fraction=arrival.unoccluded_fraction,
    )
    rgb = arrival.attributes.linear_rgb
    if arrival.attributes.irradiance and rgb is not None:
        found.color.red, found.color.green, found.color.blue = rgb
    return found


def arrived_source(
    source: light_pb2.LightSource,
    found: SourceAttributes,
    reach: Reach | None,
    surroundings: Surroundings | None,
    radiance_of: RadianceOf,
) -> SourceAttributes:
    """Return what arrives directly of one source, in the axes of the scene.

    Args:
        source: the source, its defaults as in the contract.
        found: its attributes where nothing is in its way.
        reach: of a lamp, a parallel light, the sun's disc or a background; None for light from all around.
        surroundings: of light from all around, the sky included; None for the others.
        radiance_of: gives the radiance of an environment map.
    """
    match source.WhichOneof("kind"):
        case "environment_map" if surroundings is not None:
            light = source.environment_map
            radiance = surroundings.arrived(radiance_of(light.map), light.rotation_deg)
            return _direct(source_attributes(source, lambda _: radiance), found)
        case "spherical_harmonics" if surroundings is not None:
            reached = light_pb2.LightSource()
            table = environment_map.projected(surroundings.arrived(surrounding_radiance(source, radiance_of)))
            reached.spherical_harmonics.coefficients.extend(table.ravel())
            return _direct(source_attributes(reached), found)
        case "sun_sky" if surroundings is not None:
            return _direct(_daylight(source.sun_sky, reach or Reach(0.0, 0.0), surroundings), found)
        case _:
            fraction = reach.unoccluded_fraction if reach is not None else 0.0
            irradiance = None if found.irradiance is None else found.irradiance * fraction
            return _direct(found._replace(irradiance=irradiance), found)


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
            return _sky(source.sun_sky)
        case _:
            raise ValueError("no light from all around")


def _sky(light: light_pb2.SunSkyLight) -> Radiance:
    toward = directions()
    table = sun_sky.sky_harmonics(light.sun_elevation_deg, sun_sky.turbidity(light), light.sun_azimuth_deg)
    dome = np.maximum(spherical_harmonics.basis(toward) @ table.T, 0.0) * sun_sky.sky_scale(light)
    return np.where(toward[..., 1:2] > 0.0, dome, 0.0)


def _daylight(light: light_pb2.SunSkyLight, sun: Reach, surroundings: Surroundings) -> SourceAttributes:
    """Return daylight of which the sun and each part of the sky are occluded apart."""
    sky = surroundings.arrived(_sky(light))
    level = sun_sky.sun_scale(light) * sun.unoccluded_fraction
    disc = level * sun_sky.sun_irradiance(light.sun_elevation_deg, sun_sky.turbidity(light))
    toward = unit_vector(light.sun_azimuth_deg, light.sun_elevation_deg)
    dome = environment_map.irradiance_on(sky, toward)[0]
    sun_level, sky_level = luminance_of_one(disc.tolist()), luminance_of_one(dome.tolist())
    share = sun_level / (sun_level + sky_level) if sun_level > 0.0 else 0.0
    if share < sun_sky.MIN_SUN_SHARE:
        return _sky_attributes(sky, surroundings.reach(_sky(light)).unoccluded_fraction)
    rgb = disc + dome
    triple = (float(rgb[0]), float(rgb[1]), float(rgb[2]))
    found = Daylight(triple, temperature_of_white(triple), share, sun_sky.sun_diameter_deg(light))
    return daylight_attributes(light, found)


def _sky_attributes(sky: Radiance, unoccluded_fraction: float) -> SourceAttributes:
    source = light_pb2.LightSource(environment_map=light_pb2.EnvironmentMapLight())
    found = source_attributes(source, lambda _: sky)._replace(kind=light_pb2.LIGHT_KIND_SUN_SKY)
    from_above = found.elevation_deg is None or found.elevation_deg > _MAX_OPENING_ELEVATION_DEG
    if from_above or unoccluded_fraction > _MAX_OPENING:
        return found._replace(azimuth_deg=None, elevation_deg=None, hardness=0.0, size_deg=None)
    return found


def _direct(arrived: SourceAttributes, found: SourceAttributes) -> SourceAttributes:
    """Return what arrives, or that only reflections do."""
    if arrived.irradiance is not None and arrived.irradiance <= MIN_UNOCCLUDED_FRACTION * found.strength:
        return SourceAttributes(found.kind, hardness=0.0, irradiance=0.0)
    return arrived


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
