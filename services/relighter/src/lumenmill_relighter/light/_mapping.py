"""The one mapping from a Light to words and numbers. What families do with these is theirs; the README lists it."""

from dataclasses import dataclass

import numpy as np
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import Light, LightAttributes
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import decode_light, is_panorama
from lumenmill_neural.light_words import words_of

from ._environment import Array, environment_of
from ._look import look_of

__all__ = ["Lighting", "lighting_of", "read_light"]


@dataclass(frozen=True)
class Lighting:
    """A light as models take it. `environment` (H, W, 3) is None where there are no sources, or words are enough; `rgb`
    (3,) is its mean colour of luminance 1."""

    words: str
    look: LightAttributes
    rgb: Array
    environment: Array | None


def lighting_of(
    light: Light, store: ArtifactStore, field: str, max_bytes: int, *, words_are_enough: bool = False
) -> Lighting:
    """Words: the light's own text; else those of its look. Look: what the light states, else that of its sources, which
    are not looked at for models that take nothing but words, where there are some.

    Raises:
        InvalidArgumentError: it says nothing, or an asset of it cannot be read; names the field.
    """
    look, hue, environment, rgb = LightAttributes(), "", None, np.ones(3, np.float32)
    if light.sources and not (words_are_enough and light.text.strip()):
        environment = environment_of(light, lambda asset, name: read_light(store, asset, name, max_bytes)[0], field)
        found = look_of(environment)
        look, hue, rgb = found.attributes, found.hue, found.rgb
    if light.HasField("attributes"):
        stated = light.attributes
        look.MergeFrom(stated)
        hue = "" if stated.HasField("color_temperature_k") else hue
    if not light.text.strip() and not look.ListFields():
        raise InvalidArgumentError(field, "says nothing: set `text`, `sources` or `attributes`")
    return Lighting(light.text.strip() or words_of(look, hue), look, rgb, environment)


def read_light(store: ArtifactStore, artifact: Artifact, field: str, max_bytes: int) -> tuple[Array, bool]:
    """A map or a picture (H, W, 3) in linear light, of whatever it turns out to be, and whether it shows all around.

    Raises:
        InvalidArgumentError: naming `field`; it is neither, damaged, or too large.
    """
    data = store.read_bytes(artifact, field=field, max_bytes=max_bytes)
    try:
        linear = decode_light(data)
    except ValueError as error:
        raise InvalidArgumentError(field, str(error)) from error
    return linear, is_panorama(linear, data)
