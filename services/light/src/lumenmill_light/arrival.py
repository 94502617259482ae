"""What arrives of a light on the surfaces that a camera sees, given how much of each source reaches them.

| what arrives of         | rule |
| ----------------------- | ---- |
| lamp, parallel light    | its own direction, hardness and colour; its irradiance times the unoccluded fraction |
| sun and sky             | the sun as parallel light, the sky as light from all around, after the rules of daylight; |
|                         | where no sun arrives there is no direction |
| map, harmonics, sky     | the rules of `attributes`, applied to the radiance that is not occluded |
| background              | as a lamp |

Light of which next to nothing arrives directly has no direction, no colour and hardness 0: only reflections arrive.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumenmill.common.v1 import light_pb2
from lumenmill_light import environment_map, spherical_harmonics, sun_sky
from lumenmill_light.attributes import total_of
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import luminance_of_one, temperature_of_white
from lumenmill_light.environment_map import Radiance
from lumenmill_light.source_attributes import RadianceOf, SourceAttributes, daylight_attributes, source_attributes
from lumenmill_light.sun_sky import Daylight
from lumenmill_light.surroundings import Reach, Surroundings, sky_radiance, surrounding_radiance

__all__ = ["MIN_UNOCCLUDED_FRACTION", "Arrival", "arrived_light", "arrived_source"]

MIN_UNOCCLUDED_FRACTION = 0.01
"""A source of which less than this arrives directly is known by its reflections alone."""
_MIN_SHARE = 0.01
_MAX_SOURCES = 16


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
    """Return the light that arrives, relative to a camera; sources with a share under 1 % are left out.

    So are those whose index is 16 or more, but for the attributes of the whole.
    """
    total = sum(arrival.share for arrival in arrivals)
    if total <= 0.0:
        return light_pb2.ArrivedLight(attributes=light_pb2.LightAttributes())
    seen = sorted((found for found in arrivals if found.share >= _MIN_SHARE * total), key=lambda found: -found.share)
    return light_pb2.ArrivedLight(
        attributes=total_of([found.attributes for found in seen], camera_azimuth_deg),
        # A blend of two lights can have more sources than a light of the contract, whose indices end here: the others
        # count in the attributes and in the shares, which then do not add up to 1.
        sources=[
            _to_proto(found, found.share / total, camera_azimuth_deg) for found in seen if found.index < _MAX_SOURCES
        ],
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
            return _daylight(source.sun_sky, reach or Reach(0.0, 0.0), surroundings)
        case _:
            fraction = reach.unoccluded_fraction if reach is not None else 0.0
            irradiance = None if found.irradiance is None else found.irradiance * fraction
            return _direct(found._replace(irradiance=irradiance), found)


def _daylight(light: light_pb2.SunSkyLight, sun: Reach, surroundings: Surroundings) -> SourceAttributes:
    """Return daylight of which the sun and each part of the sky are occluded apart."""
    sky = sky_radiance(light)
    reached = surroundings.arrived(sky)
    turbidity, elevation_deg = sun_sky.turbidity(light), light.sun_elevation_deg
    disc = sun_sky.sun_scale(light) * sun.unoccluded_fraction * sun_sky.sun_irradiance(elevation_deg, turbidity)
    toward = unit_vector(light.sun_azimuth_deg, elevation_deg)
    table = sun_sky.sky_scale(light) * sun_sky.sky_harmonics(elevation_deg, turbidity, light.sun_azimuth_deg)
    # The clipped map is less exact than its harmonics, and is used for what occlusion leaves alone.
    left, whole = (environment_map.irradiance_on(radiance, toward)[0] for radiance in (reached, sky))
    dome = np.maximum(spherical_harmonics.irradiance(table, toward), 0.0) * left / np.maximum(whole, 1e-12)
    sun_level, sky_level = luminance_of_one(disc.tolist()), luminance_of_one(dome.tolist())
    share = sun_level / (sun_level + sky_level) if sun_level > 0.0 else 0.0
    if share < sun_sky.MIN_SUN_SHARE:
        return _sky_attributes(light, sky, reached)
    rgb = disc + dome
    triple = (float(rgb[0]), float(rgb[1]), float(rgb[2]))
    found = Daylight(triple, temperature_of_white(triple), share, sun_sky.sun_diameter_deg(light))
    return daylight_attributes(light, found)


def _sky_attributes(light: light_pb2.SunSkyLight, sky: Radiance, reached: Radiance) -> SourceAttributes:
    """Return daylight of which no sun arrives; it has no direction, so that a direction always is that of a sun."""
    sunless = light_pb2.SunSkyLight()
    sunless.CopyFrom(light)
    sunless.sun_scale = 0.0
    alone = source_attributes(light_pb2.LightSource(sun_sky=sunless))
    before, after = _of_map(sky), _of_map(reached)
    left = (after.irradiance or 0.0) / (before.irradiance or 1.0)
    return alone._replace(irradiance=(alone.irradiance or 0.0) * left, temperature_k=after.temperature_k, rgb=after.rgb)


def _of_map(radiance: Radiance) -> SourceAttributes:
    around = light_pb2.LightSource(environment_map=light_pb2.EnvironmentMapLight())
    return source_attributes(around, lambda _: radiance)


def _direct(arrived: SourceAttributes, found: SourceAttributes) -> SourceAttributes:
    """Return what arrives, or that only reflections do."""
    if arrived.irradiance is not None and arrived.irradiance <= MIN_UNOCCLUDED_FRACTION * found.strength:
        return SourceAttributes(found.kind, hardness=0.0, irradiance=0.0)
    return arrived
