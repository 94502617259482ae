"""What a requested light should look like from a camera: attributes that follow from its sources."""

from collections.abc import Callable

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill_captioner.requested.frames import CameraFrame
from lumenmill_light.attributes import attributes, completed, ranked, total
from lumenmill_light.environment_map import Radiance
from lumenmill_light.source_attributes import SourceAttributes, source_attributes

__all__ = ["RadianceReader", "file_of_source", "requested_attributes"]

RadianceReader = Callable[[artifact_pb2.Artifact, str], Radiance]
"""Reads an environment map or a background, given its artifact and field path, as linear radiance (H, W, 3)."""

_FILE_FIELDS = {"environment_map": "map", "background": "image"}


def requested_attributes(
    light: light_pb2.Light, frame: CameraFrame, read_radiance: RadianceReader, field_path: str
) -> light_pb2.LightAttributes:
    """Return the attributes of a requested light relative to a camera, completed by those that it states itself.

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
    found = completed(
        total(sources, frame.azimuth_deg) if sources else attributes(light), light.attributes, frame.azimuth_deg
    )
    if sources and ranked(sources)[0].hue:  # coloured light has no temperature, whatever is stated
        found.ClearField("color_temperature_k")
    return found


def file_of_source(source: light_pb2.LightSource) -> tuple[artifact_pb2.Artifact, str] | None:
    """Return the file of an environment map or a background and its field path in the source; None for others."""
    kind = source.WhichOneof("kind") or ""
    if kind not in _FILE_FIELDS:
        return None
    return getattr(getattr(source, kind), _FILE_FIELDS[kind]), f"{kind}.{_FILE_FIELDS[kind]}"


def _source(entry: light_pb2.LightSource, read_radiance: RadianceReader, path: str) -> SourceAttributes:
    file = file_of_source(entry)
    if file is None:
        return source_attributes(entry)
    radiance = read_radiance(file[0], f"{path}.{file[1]}")
    return source_attributes(entry, lambda _: radiance)
