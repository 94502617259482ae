"""What a requested light should look like from a camera: its attributes, and the shading that it gives surfaces."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill_captioner.requested.frames import CameraFrame
from lumenmill_light.attributes import SourceAttributes, attributes, completed, source_attributes, total
from lumenmill_light.axes import Vector, angles_of, scene_to_level
from lumenmill_light.color import luminance
from lumenmill_light.environment_map import Radiance, projected
from lumenmill_light.irradiance import irradiance_of_source
from lumenmill_light.spherical_harmonics import linear_band_direction, rotated

__all__ = ["ExpectedLight", "RadianceReader", "expected_light", "file_of_source"]

RadianceReader = Callable[[artifact_pb2.Artifact, str], Radiance]
"""Reads an environment map or a background, given its artifact and field path, as linear radiance (H, W, 3)."""

_FILE_FIELDS = {"environment_map": "map", "background": "image"}


@dataclass(frozen=True)
class _Source:
    """One source, its attributes in the axes of the scene, and the radiance (H, W, 3) of its file if it has one."""

    message: light_pb2.LightSource
    attributes: SourceAttributes
    radiance: Radiance | None

    def mean_direction(self) -> Vector | None:
        """Return the direction (3,) from which an environment map lights surfaces; None for other and for even light.

        Its dominant lobe, the direction that its attributes have, may be a small part of its light.
        """
        if self.radiance is None or not self.message.HasField("environment_map") or self.attributes.azimuth_deg is None:
            return None
        return linear_band_direction(rotated(projected(self.radiance), self.message.environment_map.rotation_deg))


@dataclass(frozen=True)
class ExpectedLight:
    """A requested light relative to the camera of a picture.

    Attributes:
        attributes: derived from the sources and completed by the light's own; absent where neither has them.
        others: the attributes of each weaker source.
        map_names: names of environment maps.
        color_name: hue of the strongest source, empty where a temperature describes it.
    """

    attributes: light_pb2.LightAttributes
    text: str
    others: tuple[light_pb2.LightAttributes, ...] = ()
    map_names: tuple[str, ...] = ()
    color_name: str = ""
    _azimuth_deg: float = 0.0
    _sources: tuple[_Source, ...] = field(default=(), repr=False)
    """The strongest first."""

    def shading(self, normals: Vector) -> Vector | None:
        """Return irradiance / π (N, 3) on normals (N, 3) of the level frame; None where that of a source is unknown.

        Cast shadows and interreflection are not included.
        """
        parts = self._shadings(normals)
        return np.sum(parts, axis=0) if parts else None

    def dominant_on(self, normals: Vector | None) -> light_pb2.LightAttributes:
        """Return direction, hardness and colour of the source that gives surfaces (N, 3) the most light.

        It is not the strongest source when that one is behind everything that the camera sees. Without normals the
        strongest source is taken. Intensity and contrast depend on the surfaces and are left out. The direction of an
        environment map is that from which it lights surfaces.
        """
        parts = [] if normals is None else self._shadings(normals)
        index = int(np.argmax([float(luminance(part).mean()) for part in parts])) if parts else 0
        found = light_pb2.LightAttributes()
        found.CopyFrom(self._sources[index].attributes.to_proto(self._azimuth_deg) if index else self.attributes)
        mean = self._sources[index].mean_direction() if self._sources else None
        if mean is not None:
            found.azimuth_deg, found.elevation_deg = angles_of(scene_to_level(mean, self._azimuth_deg))
        found.ClearField("intensity_ev")
        found.ClearField("contrast_ev")
        return found

    def _shadings(self, normals: Vector) -> list[Vector]:
        in_scene = scene_to_level(normals, -self._azimuth_deg)
        parts = [irradiance_of_source(source.message, in_scene, source.radiance) for source in self._sources]
        shadings = [part / math.pi for part in parts if part is not None]
        return shadings if len(shadings) == len(parts) else []


def expected_light(
    light: light_pb2.Light, frame: CameraFrame, read_radiance: RadianceReader, field_path: str
) -> ExpectedLight:
    """Return what a light should look like from a camera.

    Args:
        light: the light, fixed to the scene.
        frame: orientation of the camera.
        read_radiance: reads the files of environment maps and backgrounds.
        field_path: path of the light in the request, for error messages.

    Raises:
        InvalidArgumentError: a file cannot be read.
    """
    sources = [
        _source(entry, read_radiance, f"{field_path}.sources[{index}]") for index, entry in enumerate(light.sources)
    ]
    sources.sort(key=lambda source: -source.attributes.strength)
    ranked = [source.attributes for source in sources]
    derived = total(ranked, frame.azimuth_deg) if ranked else attributes(light)
    found = completed(derived, light.attributes, frame.azimuth_deg)
    color_name = ranked[0].hue if ranked else ""
    if color_name:  # coloured light has no temperature, whatever is stated
        found.ClearField("color_temperature_k")
    return ExpectedLight(
        attributes=found,
        text=light.text,
        others=tuple(source.to_proto(frame.azimuth_deg) for source in ranked[1:] if source.strength > 0.0),
        map_names=tuple(entry.environment_map.map.name for entry in light.sources if entry.HasField("environment_map")),
        color_name=color_name,
        _azimuth_deg=frame.azimuth_deg,
        _sources=tuple(sources),
    )


def file_of_source(source: light_pb2.LightSource) -> tuple[artifact_pb2.Artifact, str] | None:
    """Return the file of an environment map or a background and its field path in the source; None for others."""
    kind = source.WhichOneof("kind") or ""
    if kind not in _FILE_FIELDS:
        return None
    return getattr(getattr(source, kind), _FILE_FIELDS[kind]), f"{kind}.{_FILE_FIELDS[kind]}"


def _source(entry: light_pb2.LightSource, read_radiance: RadianceReader, path: str) -> _Source:
    file = file_of_source(entry)
    if file is None:
        return _Source(entry, source_attributes(entry), None)
    radiance = read_radiance(file[0], f"{path}.{file[1]}")
    return _Source(entry, source_attributes(entry, lambda _: radiance), radiance)
