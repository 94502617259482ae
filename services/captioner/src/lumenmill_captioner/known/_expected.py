"""What known light should look like, integrated from its sources."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from lumenmill.common.v1 import artifact_pb2, light_pb2
from numpy.typing import NDArray

from lumenmill_captioner.measure import (
    LUMINANCE,
    basis,
    color_of,
    facing,
    hardness_of_size,
    light_color_name,
    linear_band_direction,
    rgb_of_temperature,
    shading_basis,
    sphere_directions,
)

from ._frames import CameraFrame, direction_angles, unit_vector, wrap_deg

Array = NDArray[np.float32]
Vector = NDArray[np.float64]
MapReader = Callable[[artifact_pb2.Artifact, str], Array]

_KIND_OF_FIELD = {
    "environment_map": light_pb2.LIGHT_KIND_ENVIRONMENT_MAP,
    "spherical_harmonics": light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS,
    "sun_sky": light_pb2.LIGHT_KIND_SUN_SKY,
    "directional": light_pb2.LIGHT_KIND_DIRECTIONAL,
    "area": light_pb2.LIGHT_KIND_AREA,
    "background": light_pb2.LIGHT_KIND_BACKGROUND,
}

# The brightest part of an environment map is looked for within this angle about so many of its brightest points.
_PEAK_DEG, _NUM_PEAKS = 10.0, 64


@dataclass(frozen=True)
class _Source:
    """One source in the level frame.

    size_deg: angular size, None when not known. rgb: irradiance face on, None when its units are not known.
    casts_shadows: whether it has any size at all; smooth light and an overcast sky have none.
    """

    kind: "light_pb2.LightKind.ValueType"
    direction: Vector | None = None
    size_deg: float | None = None
    rgb: Vector | None = None
    harmonics: Vector | None = None
    casts_shadows: bool = True

    @property
    def irradiance(self) -> float:
        return math.inf if self.rgb is None else float(LUMINANCE @ self.rgb)

    def shading(self, normals: Vector) -> Vector | None:
        """Irradiance / π on surfaces, (N, 3) → (N, 3), shadows and interreflection left out."""
        if self.harmonics is not None:
            return np.maximum(shading_basis(normals) @ self.harmonics, 0.0)
        if self.rgb is None or self.direction is None:
            return None
        lit = facing(normals @ self.direction, (self.size_deg or 0.0) / 2.0)
        return np.asarray(lit[:, None] * self.rgb / math.pi)


@dataclass(frozen=True)
class ExpectedLight:
    """Known light relative to the camera of a picture.

    attributes: what follows from the sources; absent where they do not tell. others: the same for each weaker source.
    map_names: names of environment maps. color_name: the hue of the strongest source, empty while it is some white.
    """

    attributes: light_pb2.LightAttributes
    text: str
    others: tuple[light_pb2.LightAttributes, ...] = ()
    map_names: tuple[str, ...] = ()
    color_name: str = ""
    _sources: tuple[_Source, ...] = field(default=(), repr=False)

    def shading(self, normals: Vector) -> Vector | None:
        """Return shading (N, 3) on normals of the level frame, or None when some source has unknown units."""
        parts = self._shadings(normals)
        return np.sum(parts, axis=0) if parts else None

    def dominant_on(self, normals: Vector) -> light_pb2.LightAttributes:
        """Return the attributes of the source that gives these surfaces the most light.

        It differs from `attributes` when the strongest source stands behind everything that the camera sees.
        """
        parts = self._shadings(normals)
        if len(parts) < 2:
            return self.attributes
        strongest = int(np.argmax([float((part @ LUMINANCE).mean()) for part in parts]))
        return _attributes_of(self._sources[strongest])

    def _shadings(self, normals: Vector) -> list[Vector]:
        parts = [source.shading(normals) for source in self._sources]
        known = [part for part in parts if part is not None]
        return known if len(known) == len(parts) else []


def expected_light(light: light_pb2.Light, frame: CameraFrame, read_map: MapReader, field_path: str) -> ExpectedLight:
    """Return what a light should look like from a camera.

    Direction, hardness and colour temperature are those of the source with the largest irradiance. Environment maps are
    opened and integrated. Fields that the sources leave open are taken from the light's own attributes, turned by the
    camera's azimuth.

    Args:
        light: the light, fixed to the scene.
        frame: where the camera stands.
        read_map: opens an environment map given its artifact and field path; returns (H, W, 3) radiance.
        field_path: where the light stands in the request, for error messages.

    Raises:
        InvalidArgumentError: an environment map cannot be read.
    """
    sources = tuple(
        _source(entry, frame, read_map, f"{field_path}.sources[{index}]") for index, entry in enumerate(light.sources)
    )
    ranked = sorted(sources, key=lambda source: -source.irradiance)
    attributes = light_pb2.LightAttributes(kinds=list(dict.fromkeys(source.kind for source in ranked)))
    if ranked:
        _fill_from_source(attributes, ranked[0])
    elif light.text:
        attributes.kinds.append(light_pb2.LIGHT_KIND_TEXT)
    _fill_from_statement(attributes, light.attributes, frame)
    names = tuple(
        entry.environment_map.map.name for entry in light.sources if entry.WhichOneof("kind") == "environment_map"
    )
    others = tuple(_attributes_of(source) for source in ranked[1:])
    hue = _hue_of(ranked[0]) if ranked else ""
    if hue:  # whatever temperature is stated, coloured light has none
        attributes.ClearField("color_temperature_k")
    return ExpectedLight(attributes, light.text, others, names, hue, sources)


def _hue_of(source: _Source) -> str:
    """The name of the colour of coloured light; empty for white and for light of unknown colour."""
    color = color_of(source.rgb) if source.rgb is not None else None
    return light_color_name(source.rgb) if source.rgb is not None and color is not None and not color.is_white else ""


def _attributes_of(source: _Source) -> light_pb2.LightAttributes:
    attributes = light_pb2.LightAttributes(kinds=[source.kind])
    _fill_from_source(attributes, source)
    return attributes


def _fill_from_source(attributes: light_pb2.LightAttributes, source: _Source) -> None:
    if source.direction is not None:
        attributes.azimuth_deg, attributes.elevation_deg = direction_angles(source.direction)
    if not source.casts_shadows:
        attributes.hardness = 0.0
    elif source.size_deg is not None:
        attributes.hardness = hardness_of_size(source.size_deg)
    if source.rgb is not None:
        color = color_of(source.rgb)
        if color is not None and color.is_white:
            attributes.color_temperature_k = color.temperature_k


def _fill_from_statement(
    attributes: light_pb2.LightAttributes, stated: light_pb2.LightAttributes, frame: CameraFrame
) -> None:
    if stated.HasField("azimuth_deg") and not attributes.HasField("azimuth_deg"):
        attributes.azimuth_deg = wrap_deg(stated.azimuth_deg - frame.azimuth_deg)
    of_daylight = list(attributes.kinds[:1]) == [light_pb2.LIGHT_KIND_SUN_SKY] and attributes.hardness > 0.0
    if of_daylight and stated.HasField("hardness"):
        attributes.hardness = stated.hardness
    for name in ("elevation_deg", "hardness", "color_temperature_k"):
        if stated.HasField(name) and not attributes.HasField(name):
            setattr(attributes, name, getattr(stated, name))


def _source(entry: light_pb2.LightSource, frame: CameraFrame, read_map: MapReader, path: str) -> _Source:
    name = entry.WhichOneof("kind") or "background"
    kind = _KIND_OF_FIELD[name]
    if name == "area":
        area = entry.area
        width = area.width_ratio or 1.0
        side = math.sqrt(width * (area.height_ratio or width))
        size = math.degrees(2.0 * math.atan2(side / 2.0, area.distance_ratio or 4.0))
        direction = frame.level_from_scene(unit_vector(area.azimuth_deg, area.elevation_deg))
        return _Source(kind, direction, size, area.irradiance * _emitter_rgb(area))
    if name == "directional":
        parallel = entry.directional
        direction = frame.level_from_scene(unit_vector(parallel.azimuth_deg, parallel.elevation_deg))
        return _Source(kind, direction, parallel.angular_diameter_deg, parallel.irradiance * _emitter_rgb(parallel))
    if name == "sun_sky":
        return _sun_sky(entry.sun_sky, frame)
    if name == "spherical_harmonics":
        coefficients = np.array(entry.spherical_harmonics.coefficients).reshape(3, 9).T
        return _from_radiance(kind, frame, lambda directions: basis(directions) @ coefficients)
    if name == "environment_map":
        return _environment(entry.environment_map, frame, read_map, f"{path}.environment_map.map")
    return _Source(kind)


def _emitter_rgb(emitter: light_pb2.AreaLight | light_pb2.DirectionalLight) -> Vector:
    """Colour of an emitter with luminance 1."""
    if not emitter.HasField("color"):
        return rgb_of_temperature(6504.0)
    if emitter.color.WhichOneof("value") == "temperature_k":
        return rgb_of_temperature(emitter.color.temperature_k)
    rgb = np.array([emitter.color.rgb.red, emitter.color.rgb.green, emitter.color.rgb.blue], np.float64)
    return np.asarray(rgb / max(float(LUMINANCE @ rgb), 1e-9))


def _sun_sky(light: light_pb2.SunSkyLight, frame: CameraFrame) -> _Source:
    """Daylight: direction and size of the sun.

    Its radiance is a renderer's own, so that colour is not told, and a hardness that the light states, which knows how
    much of it comes from the sun, is taken before that of the disc.
    """
    kind = light_pb2.LIGHT_KIND_SUN_SKY
    if light.HasField("sun_scale") and light.sun_scale <= 0.0:
        return _Source(kind, casts_shadows=False)
    direction = frame.level_from_scene(unit_vector(light.sun_azimuth_deg, light.sun_elevation_deg))
    return _Source(kind, direction, light.sun_diameter_deg or 0.53)


def _environment(light: light_pb2.EnvironmentMapLight, frame: CameraFrame, read_map: MapReader, path: str) -> _Source:
    radiance = _blocks(read_map(light.map, path)) * 2.0**light.exposure_ev
    height, width = radiance.shape[:2]
    azimuths = np.radians(180.0 - 360.0 * (np.arange(width) + 0.5) / width + light.rotation_deg)
    elevations = np.radians(90.0 - 180.0 * (np.arange(height) + 0.5) / height)
    flat = np.cos(elevations)[:, None]
    directions = np.stack(
        [
            flat * np.sin(azimuths),
            np.broadcast_to(np.sin(elevations)[:, None], (height, width)),
            flat * np.cos(azimuths),
        ],
        -1,
    )
    solid = np.broadcast_to(flat * (2.0 * math.pi / width) * (math.pi / height), (height, width))
    weighted = radiance * solid[..., None]
    level = frame.level_from_scene(directions)
    harmonics = np.einsum("hwk,hwc->kc", basis(level), weighted)
    smooth = _from_harmonics(light_pb2.LIGHT_KIND_ENVIRONMENT_MAP, harmonics)
    size = _size_of_radiance(level.reshape(-1, 3), (weighted @ LUMINANCE).reshape(-1))
    return replace(smooth, size_deg=size, casts_shadows=True)


def _size_of_radiance(directions: Vector, flux: Vector) -> float:
    """Angular size in degrees of the disc whose half of the light lies as close together as half of this light.

    Half of the light of an even disc lies within 1 / √2 of its radius.
    """
    brightest = np.argsort(-flux)[:_NUM_PEAKS]
    near = directions[brightest] @ directions.T >= math.cos(math.radians(_PEAK_DEG))
    peak = np.average(directions, axis=0, weights=flux * near[int(np.argmax(near @ flux))] + 1e-12 * flux.max())
    angles = np.degrees(np.arccos(np.clip(directions @ (peak / max(float(np.linalg.norm(peak)), 1e-12)), -1.0, 1.0)))
    order = np.argsort(angles)
    mass = np.cumsum(flux[order])
    half = float(angles[order][min(int(np.searchsorted(mass, 0.5 * mass[-1])), len(order) - 1)])
    return min(2.0 * math.sqrt(2.0) * half, 180.0)


def _blocks(image: Array) -> Vector:
    """The map averaged to about 128 × 64, which keeps what order-2 harmonics see."""
    step = max(1, image.shape[1] // 128)
    height, width = image.shape[0] // step * step, image.shape[1] // step * step
    blocks = image[:height, :width].reshape(height // step, step, width // step, step, 3)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float64))


def _from_radiance(
    kind: "light_pb2.LightKind.ValueType", frame: CameraFrame, radiance: Callable[[Vector], Vector]
) -> _Source:
    directions = sphere_directions(4096)
    level = frame.level_from_scene(directions)
    harmonics = basis(level).T @ radiance(directions) * (4.0 * math.pi / len(directions))
    return _from_harmonics(kind, harmonics)


def _from_harmonics(kind: "light_pb2.LightKind.ValueType", harmonics: Vector) -> _Source:
    """Smooth light by its order-2 harmonics (9, 3), its direction by their linear band."""
    mean_rgb = np.maximum(harmonics[0], 0.0) * math.pi * 0.282095
    direction = linear_band_direction(harmonics @ LUMINANCE)
    return _Source(kind, direction, None, mean_rgb, harmonics, casts_shadows=False)
