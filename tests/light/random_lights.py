"""Random lights of every kind, and the radiance of the environment map that some of them have."""

import math
from random import Random

import numpy as np
import pytest

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill_light import build, environment_map, vocabulary
from lumenmill_light.axes import unit_vector
from lumenmill_light.color import temperature_rgb

MAP = artifact_pb2.Artifact(sha256="0" * 64, name="old_room_1k.hdr")
_LOBE = environment_map.directions(64) @ unit_vector(35.0, 20.0) > math.cos(math.radians(7.0))
RADIANCE = np.float32(0.05) + np.where(_LOBE[..., None], 60.0 * temperature_rgb(3400.0), 0.0).astype(np.float32)
NUM_LIGHTS = 6


def random_area(random: Random) -> light_pb2.LightSource:
    size = random.uniform(0.1, 2.5)
    color = build.kelvin(round(random.uniform(2000, 15000)))
    return build.area_light(_azimuth(random), random.uniform(-30, 85), size, size, 4.0, random.uniform(0.5, 9.0), color)


def random_directional(random: Random) -> light_pb2.LightSource:
    color = build.kelvin(round(random.uniform(2000, 15000)))
    size_deg = random.choice((0.0, 0.53, 12.0, 40.0))
    return build.directional_light(_azimuth(random), random.uniform(-30, 85), size_deg, random.uniform(0.5, 9.0), color)


def random_gel(random: Random) -> light_pb2.LightSource:
    color = build.rgb(random.choice(list(vocabulary.GEL_COLORS.values())))
    return build.directional_light(_azimuth(random), random.uniform(0, 60), 2.0, random.uniform(0.5, 9.0), color)


def random_daylight(random: Random) -> light_pb2.LightSource:
    sun, sky = random.choice(((1.0, 0.1), (1.0, 1.0), (0.35, 1.0), (0.07, 1.0), (0.0, 1.0)))
    elevation_deg = random.choice((random.uniform(0.2, 8.0), random.uniform(8.0, 65.0)))
    return build.sun_sky_light(_azimuth(random), elevation_deg, random.uniform(2.0, 6.0), sun, sky, 0.53)


def random_harmonics(random: Random) -> light_pb2.LightSource:
    color = temperature_rgb(float(round(random.uniform(2000, 15000)))).tolist()
    return build.spherical_harmonics_light(
        _azimuth(random), random.uniform(-30, 85), 0.9, random.uniform(0.5, 5), color
    )


def random_map(random: Random) -> light_pb2.LightSource:
    return build.environment_light(MAP, random.uniform(-180, 180), random.uniform(-1, 1))


def _azimuth(random: Random) -> float:
    return random.uniform(-180.0, 180.0)


WRITERS = [random_area, random_directional, random_gel, random_daylight, random_harmonics, random_map]
LIGHTS = [
    pytest.param(writer(Random(f"{writer.__name__}-{number}")), id=f"{writer.__name__}-{number}")  # noqa: S311 - no secrets
    for writer in WRITERS
    for number in range(NUM_LIGHTS)
]


def radiance_of(_artifact: artifact_pb2.Artifact) -> np.ndarray:
    return RADIANCE
