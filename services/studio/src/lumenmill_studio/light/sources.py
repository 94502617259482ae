"""Resolve lights into weighted sums of unit sources: geometry is traced once, colour and intensity are weights.

A unit source is white with unit irradiance (area, directional), or has the radiance of its map or model.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import AreaLight, Light, LightSource
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_light import sun_sky
from lumenmill_light.area import area_extent
from lumenmill_light.color import Array, emitter_rgb
from lumenmill_light.spherical_harmonics import NUM_COEFFICIENTS
from lumenmill_studio.light.harmonics import lifts, radiance_map

__all__ = [
    "MAX_SEPARATE_HARMONICS",
    "UnitSource",
    "Weighted",
    "is_dark",
    "num_distinct_harmonics",
    "parallel_unit",
    "resolved",
    "resolved_each",
]

MAX_SEPARATE_HARMONICS = 4
# Smallest size and distance of an emitter in radii of the subject.
_MIN_RATIO = 1e-3
# Weight below which a channel is dark, since pictures are stored in half floats.
_DARK = 1e-6


@dataclass(frozen=True)
class UnitSource:
    """The geometry of one source, which is traced. Equal units give equal pictures.

    ``asset_sha256`` is the digest of a map or background; ``table`` are the coefficients of spherical harmonics.
    """

    kind: str
    parameters: tuple[tuple[str, float], ...] = ()
    asset_sha256: str = ""
    table: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        """Return the canonical text of the unit, used in seeds and in basis artifacts."""
        return json.dumps(
            [self.kind, list(self.parameters), self.asset_sha256, list(self.table)], separators=(",", ":")
        )

    def __getitem__(self, name: str) -> float:
        return dict(self.parameters)[name]


@dataclass(frozen=True)
class Weighted:
    """A unit source and its weight in each channel."""

    unit: UnitSource
    weight: tuple[float, float, float]


def _unit(kind: str, parameters: Mapping[str, float], asset_sha256: str = "") -> UnitSource:
    return UnitSource(kind, tuple((name, round(float(value), 4)) for name, value in parameters.items()), asset_sha256)


def parallel_unit(azimuth_deg: float, elevation_deg: float, angular_diameter_deg: float = 0.0) -> UnitSource:
    """Return the unit of parallel light, of the size given by its angular diameter."""
    angles = {"azimuth_deg": azimuth_deg % 360, "elevation_deg": elevation_deg}
    return _unit("directional", {**angles, "angular_diameter_deg": angular_diameter_deg})


def resolved(light: Light, field: str = "light", shared_harmonics: bool = False) -> list[Weighted]:
    """Return the unit sources of a light and their weights; equal units are summed.

    With ``shared_harmonics``, spherical harmonics are sums of nine shared units instead of one or two of their own.

    Raises:
        InvalidArgumentError: the light has no sources, or an environment map without a digest; names the field.
    """
    parts: dict[str, Weighted] = {}
    for part in chain.from_iterable(resolved_each(light, field, shared_harmonics)):
        before = parts.get(part.unit.key)
        weight = np.add(part.weight, before.weight if before else (0, 0, 0))
        parts[part.unit.key] = Weighted(part.unit, _triple(weight))
    return list(parts.values())


def resolved_each(light: Light, field: str = "light", shared_harmonics: bool = False) -> list[list[Weighted]]:
    """Return the unit sources of each source of a light and their weights; errors as :func:`resolved`."""
    if not light.sources:
        problem = (
            "studio needs structure and does not guess it from words: set `sources`"
            if light.text
            else "set at least one source"
        )
        raise InvalidArgumentError(f"{field}.sources", problem)
    return [
        _of_source(source, f"{field}.sources[{index}]", shared_harmonics) for index, source in enumerate(light.sources)
    ]


def is_dark(light: Light, parts: Iterable[Weighted]) -> bool:
    """Return whether no source of a light emits: zero intensities, or harmonics that are negative everywhere."""
    if any(max(part.weight) > _DARK for part in parts if not part.unit.kind.startswith("harmonic")):
        return False
    tables = [
        np.array(source.spherical_harmonics.coefficients).reshape(3, 9)
        for source in light.sources
        if source.HasField("spherical_harmonics")
    ]
    return not tables or float(radiance_map(np.sum(tables, axis=0), 24).max()) <= _DARK


def num_distinct_harmonics(lights: Iterable[Light]) -> int:
    """Return the number of different spherical-harmonic sources of the lights."""
    return len(
        {
            tuple(source.spherical_harmonics.coefficients)
            for light in lights
            for source in light.sources
            if source.HasField("spherical_harmonics")
        }
    )


def _triple(values: Array | float) -> tuple[float, float, float]:
    r, g, b = (float(value) for value in np.broadcast_to(values, (3,)))
    return r, g, b


def _of_source(source: LightSource, field: str, shared_harmonics: bool) -> list[Weighted]:
    kind = source.WhichOneof("kind")
    if kind == "environment_map":
        light = source.environment_map
        unit = _unit(
            "environment_map",
            {"rotation_deg": light.rotation_deg % 360},
            _digest(light.map, f"{field}.environment_map.map"),
        )
        return [Weighted(unit, _triple(2.0**light.exposure_ev))]
    if kind == "background":
        unit = _unit("background", {}, _digest(source.background.image, f"{field}.background.image"))
        return [Weighted(unit, _triple(2.0**source.background.exposure_ev))]
    if kind == "spherical_harmonics":
        table = np.array(source.spherical_harmonics.coefficients).reshape(3, 9)
        return _shared_harmonics(table) if shared_harmonics else _own_harmonics(table)
    if kind == "sun_sky":
        return _sun_and_sky(source)
    if kind == "directional":
        parallel = source.directional
        unit = parallel_unit(parallel.azimuth_deg, parallel.elevation_deg, parallel.angular_diameter_deg)
        return [Weighted(unit, _triple(parallel.irradiance * _color(parallel)))]
    area = source.area
    _check_area(area, f"{field}.area")
    distance, width, height = area_extent(area)
    unit = _unit(
        "area",
        {
            "azimuth_deg": area.azimuth_deg % 360,
            "elevation_deg": area.elevation_deg,
            "distance_ratio": distance,
            "width_ratio": width,
            "height_ratio": height,
        },
    )
    return [Weighted(unit, _triple(area.irradiance * _color(area)))]


def _check_area(area: AreaLight, field: str) -> None:
    for name in ("distance_ratio", "width_ratio", "height_ratio"):
        value = getattr(area, name)
        if 0 < value < _MIN_RATIO:
            raise InvalidArgumentError(f"{field}.{name}", f"is {value:g}; must be 0 or at least {_MIN_RATIO:g}")


def _color(source: object) -> Array:
    return emitter_rgb(source.color if source.HasField("color") else None)  # type: ignore[attr-defined]  # both messages have `color`


def _digest(artifact: Artifact, field: str) -> str:
    if not artifact.sha256:
        raise InvalidArgumentError(
            f"{field}.sha256", "set the SHA-256 of the asset, it names the light in the light basis"
        )
    return artifact.sha256


def _sun_and_sky(source: LightSource) -> list[Weighted]:
    light = source.sun_sky
    position = {
        "azimuth_deg": light.sun_azimuth_deg % 360,
        "elevation_deg": light.sun_elevation_deg,
        "turbidity": sun_sky.turbidity(light),
    }
    sun_unit = _unit("sun", {**position, "diameter_deg": sun_sky.sun_diameter_deg(light)})
    parts = [(sun_unit, sun_sky.sun_scale(light)), (_unit("sky", position), sun_sky.sky_scale(light))]
    return [Weighted(unit, _triple(scale)) for unit, scale in parts if scale > 0] or [
        Weighted(sun_unit, (0.0, 0.0, 0.0))
    ]


def _own_harmonics(table_c9: Array) -> list[Weighted]:
    scale = float(np.abs(table_c9).max()) or 1.0
    rounded = tuple(round(float(value), 6) for value in (table_c9 / scale).ravel())
    negative = bool((radiance_map(table_c9, 24) < -1e-6 * scale).any())
    parts = [Weighted(UnitSource("harmonics+", (), "", rounded), _triple(scale))]
    return [*parts, Weighted(UnitSource("harmonics-", (), "", rounded), _triple(-scale))] if negative else parts


def _shared_harmonics(table_c9: Array) -> list[Weighted]:
    weights_c9 = np.array(table_c9)
    weights_c9[:, 0] -= table_c9[:, 1:] @ lifts()[1:]
    return [
        Weighted(_unit("harmonic", {"index": index}), _triple(weights_c9[:, index]))
        for index in range(NUM_COEFFICIENTS)
    ]
