"""Hand-made lights of every kind, whose sides, colours, sizes and strengths vary with a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill_light import build
from lumenmill_light.color import temperature_rgb
from lumenmill_light.vocabulary import GEL_COLORS

__all__ = ["NAMES", "Files", "hand_made"]

_Source = light_pb2.LightSource
_AREA_DISTANCE = 4.0


@dataclass(frozen=True)
class Files:
    """The files that lights may use: environment maps, and a picture that shines behind the subject."""

    maps: Sequence[artifact_pb2.Artifact]
    background: artifact_pb2.Artifact


def hand_made(name: str, random: Random, files: Files) -> light_pb2.Light:
    """Return a light of one of NAMES."""
    side = random.choice((-1.0, 1.0))
    return light_pb2.Light(name=name.replace(" ", "-").replace(",", ""), sources=_LIGHTS[name](random, side, files))


def _area(
    azimuth_deg: float, elevation_deg: float, size_ratio: float, irradiance: float, temperature_k: float
) -> _Source:
    return build.area_light(
        azimuth_deg, elevation_deg, size_ratio, size_ratio, _AREA_DISTANCE, irradiance, build.kelvin(temperature_k)
    )


def _around(random: Random, side: float) -> float:
    return side * random.uniform(20.0, 100.0)


def _hard_warm(random: Random, side: float, _: Files) -> list[_Source]:
    return [_area(_around(random, side), random.uniform(5, 60), 0.3, 3.0, random.uniform(2000, 3600))]


def _soft_cool(random: Random, side: float, _: Files) -> list[_Source]:
    return [_area(_around(random, side), random.uniform(10, 60), 4.0, 3.0, random.uniform(7500, 14000))]


def _two_colors(random: Random, side: float, _: Files) -> list[_Source]:
    warm = _area(-65.0 * side, 30.0, 1.0, 3.0, 2400.0)
    return [warm, _area(65.0 * side, 30.0, 1.0, random.uniform(2.0, 4.0), 11000.0)]


def _back(random: Random, side: float, _: Files) -> list[_Source]:
    azimuth_deg, elevation_deg = side * random.uniform(140, 170), random.uniform(50, 65)
    key = _area(azimuth_deg, elevation_deg, 0.8, 4.0, random.uniform(2500, 9000))
    return [key, _area(-side * 45.0, 20.0, 4.0, 0.4, 6500.0)]


def _overhead(random: Random, _side: float, _: Files) -> list[_Source]:
    return [_area(random.uniform(-180, 180), random.uniform(76, 88), 1.5, 3.0, random.uniform(3000, 8000))]


def _harmonics(random: Random, side: float, _: Files) -> list[_Source]:
    color = temperature_rgb(random.uniform(2300, 12000)).tolist()
    return [build.spherical_harmonics_light(_around(random, side), random.uniform(10, 60), 0.95, 3.0, color)]


def _environment(random: Random, _side: float, files: Files) -> list[_Source]:
    return [build.environment_light(random.choice(files.maps), random.uniform(-180, 180), 0.0)]


def _fill_above_key(random: Random, side: float, _: Files) -> list[_Source]:
    key = _area(random.uniform(-20, 20), 70.0, 2.0, 0.6, 2700.0)
    return [key, _area(-side * 40.0, 20.0, 3.0, 3.0, 6500.0)]


def _daylight(random: Random, side: float, _: Files) -> list[_Source]:
    elevation_deg, sky_scale = random.uniform(4, 50), random.choice((0.2, 1.0))
    return [build.sun_sky_light(_around(random, side), elevation_deg, 3.0, 1.0, sky_scale, 0.53)]


def _gel(random: Random, side: float, _: Files) -> list[_Source]:
    azimuth_deg, gel = _around(random, side), build.rgb(random.choice(list(GEL_COLORS.values())))
    key = build.area_light(azimuth_deg, 30.0, 1.0, 1.0, _AREA_DISTANCE, 3.0, gel)
    return [key, _area(-azimuth_deg, 25.0, 3.0, 1.0, random.uniform(4000, 9000))]


def _distant(random: Random, _side: float, _: Files) -> list[_Source]:
    azimuth_deg, elevation_deg = random.uniform(-80, 80), random.uniform(10, 65)
    color = build.kelvin(random.uniform(2500, 11000))
    return [build.directional_light(azimuth_deg, elevation_deg, random.choice((0.5, 10.0, 40.0)), 3.0, color)]


def _background(_random: Random, _side: float, files: Files) -> list[_Source]:
    return [_Source(background=light_pb2.BackgroundLight(image=files.background, exposure_ev=2.0))]


_LIGHTS: dict[str, Callable[[Random, float, Files], list[_Source]]] = {
    "hard warm key": _hard_warm,
    "soft cool key": _soft_cool,
    "warm and cool from two sides": _two_colors,
    "back light with fill": _back,
    "overhead": _overhead,
    "spherical harmonics": _harmonics,
    "environment map": _environment,
    "fill above its key": _fill_above_key,
    "daylight": _daylight,
    "gel with fill": _gel,
    "distant light": _distant,
    "background": _background,
}
NAMES = tuple(_LIGHTS)
