"""The one mapping from a Light to words and numbers. What families do with these is theirs; the README lists it."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import Light, LightAttributes
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import Limits, read_radiance_map, read_rgb, srgb_to_linear
from lumenmill_neural.light_words import words_of

from ._environment import Array, environment_of
from ._look import look_of

__all__ = ["Lighting", "is_radiance", "lighting_of", "read_linear"]


@dataclass(frozen=True)
class Lighting:
    """A light as models take it. `environment` (H, W, 3) is None where there are no sources, or words are enough; `rgb`
    (3,) is its mean colour of luminance 1."""

    words: str
    look: LightAttributes
    rgb: Array
    environment: Array | None


def lighting_of(
    light: Light, store: ArtifactStore, field: str, limits: Limits, *, words_are_enough: bool = False
) -> Lighting:
    """Words: the light's own text; else those of its look. Look: what the light states, else that of its sources, which
    are not looked at for models that take nothing but words, where there are some.

    Raises:
        InvalidArgumentError: it says nothing, or an asset of it cannot be read; names the field.
    """
    look, hue, environment, rgb = LightAttributes(), "", None, np.ones(3, np.float32)
    if light.sources and not (words_are_enough and light.text.strip()):
        environment = environment_of(light, partial(read_linear, store, limits=limits), field)
        found = look_of(environment)
        look, hue, rgb = found.attributes, found.hue, found.rgb
    if light.HasField("attributes"):
        stated = light.attributes
        look.MergeFrom(stated)
        hue = "" if stated.HasField("color_temperature_k") else hue
    if not light.text.strip() and not look.ListFields():
        raise InvalidArgumentError(field, "says nothing: set `text`, `sources` or `attributes`")
    return Lighting(light.text.strip() or words_of(look, hue), look, rgb, environment)


def read_linear(store: ArtifactStore, artifact: Artifact, field: str, limits: Limits) -> Array:
    """A map (.hdr, EXR) as radiance, or a picture in linear light, (H, W, 3)."""
    if is_radiance(artifact):
        return read_radiance_map(store, artifact, field, limits)
    return srgb_to_linear(np.asarray(read_rgb(store, artifact, field, limits), np.float32) / np.float32(255))


def is_radiance(artifact: Artifact) -> bool:
    """Whether an artifact is a map of radiance rather than a picture for display."""
    name = artifact.uri.lower()
    return artifact.media_type in {"image/vnd.radiance", "image/x-exr"} or name.endswith((".hdr", ".exr"))
