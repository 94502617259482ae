"""The one mapping from a Light to words and numbers. How families use them is theirs; the README lists it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1.light_pb2 import Light, LightAttributes
from lumenmill_common.artifacts import ArtifactStore, digest_of
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_light.attributes import ranked, total
from lumenmill_light.color import LUMINANCE
from lumenmill_light.environment import environment_of
from lumenmill_light.source_attributes import RadianceOf, SourceAttributes, source_attributes
from lumenmill_light.vocabulary import phrase
from lumenmill_media import read_light

__all__ = ["Lighting", "lighting_of"]

_ASSETS = {"environment_map": "map", "background": "image"}
"""The field that holds the file of a source, by the kind of the source."""


@dataclass(frozen=True)
class Lighting:
    """A light as models take it.

    Attributes:
        rgb: colour (3,) of all sources together, linear Rec. 709 of luminance 1; white without sources.
        environment: radiance (64, 128, 3) from all around; None without sources, and where words are enough.
    """

    words: str
    attributes: LightAttributes
    rgb: NDArray[np.float32]
    environment: NDArray[np.float32] | None


def lighting_of(
    light: Light, store: ArtifactStore, field: str, max_bytes: int, *, words_are_enough: bool = False
) -> Lighting:
    """Return the light's own text, else a phrase for its attributes; attributes are the stated, else the derived ones.

    `words_are_enough`: the model takes nothing but words, so that the sources of a light with a text are not read.

    Raises:
        InvalidArgumentError: the light is empty or dark, or a file of it cannot be read; names the field.
    """
    attributes, hue, environment, rgb = LightAttributes(), "", None, np.ones(3, np.float32)
    if light.sources and not (words_are_enough and light.text.strip()):
        radiance_of = _read_assets(light, store, field, max_bytes)
        environment = environment_of(light, radiance_of)
        if not (environment > 0).any():
            raise InvalidArgumentError(f"{field}.sources", "give no light at all")
        sources = [source_attributes(source, radiance_of) for source in light.sources]
        attributes, hue, rgb = total(sources), ranked(sources)[0].hue, _rgb(sources)
    if light.HasField("attributes"):
        attributes.MergeFrom(light.attributes)
        hue = "" if light.attributes.HasField("color_temperature_k") else hue
    if not light.text.strip() and not attributes.ListFields():
        raise InvalidArgumentError(field, "is empty: set `text`, `sources` or `attributes`")
    return Lighting(light.text.strip() or phrase(attributes, hue), attributes, rgb, environment)


def _read_assets(light: Light, store: ArtifactStore, field: str, max_bytes: int) -> RadianceOf:
    radiances: dict[str, NDArray[np.float32]] = {}
    for index, source in enumerate(light.sources):
        kind = source.WhichOneof("kind") or ""
        if kind in _ASSETS:
            asset = getattr(getattr(source, kind), _ASSETS[kind])
            name = f"{field}.sources[{index}].{kind}.{_ASSETS[kind]}"
            radiances[digest_of(asset)] = read_light(store, asset, name, max_bytes)[0]
    return lambda artifact: radiances[digest_of(artifact)]


def _rgb(sources: list[SourceAttributes]) -> NDArray[np.float32]:
    """Return the colour of all sources together, each with its irradiance as weight."""
    known = [(source.irradiance or 0.0, source.linear_rgb) for source in sources]
    total_rgb = np.sum([level * np.array(rgb) for level, rgb in known if rgb is not None], axis=0)
    return np.asarray(total_rgb / float(total_rgb @ LUMINANCE), np.float32)
