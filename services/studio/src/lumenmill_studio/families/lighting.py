"""Prepare the lights of requests for rendering: store their assets, resolve their unit sources, describe them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lumenmill.common.v1.artifact_pb2 import Artifact, Licence
from lumenmill.common.v1.light_pb2 import BackgroundLight, EnvironmentMapLight, Light, LightSource
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_light.attributes import total
from lumenmill_light.source_attributes import RadianceOf, source_attributes
from lumenmill_studio.assets import Array, Assets
from lumenmill_studio.light.description import described
from lumenmill_studio.light.sources import Weighted, is_dark, resolved

__all__ = ["LightReader", "Lighting"]


@dataclass(frozen=True)
class Lighting:
    """A light as it will be rendered.

    Attributes:
        light: the light with words and attributes; its assets are in the store.
        parts: its unit sources and their weights.
        open_set: whether walls and backdrops are left out.
        backgrounds: digests and aspects (height over width) of the pictures that stand behind the subject.
        shared_harmonics: whether spherical harmonics are sums of shared units.
    """

    light: Light
    parts: Sequence[Weighted]
    open_set: bool = False
    backgrounds: tuple[tuple[str, float], ...] = ()
    shared_harmonics: bool = False


class LightReader:
    """Reads lights and the maps and pictures that they name."""

    def __init__(self, store: ArtifactStore, assets: Assets) -> None:
        self._store, self._assets = store, assets

    def read(
        self,
        light: Light,
        field_name: str,
        environment: Artifact | None = None,
        *,
        environment_field: str = "environment",
        shared_harmonics: bool = False,
        may_be_dark: bool = False,
    ) -> Lighting:
        """Return a light, with the environment that it adds if one is given, ready to render.

        Raises:
            InvalidArgumentError: there are no sources, an asset cannot be read, or all sources are dark and not
                ``may_be_dark``; names the field.
        """
        stored = self.with_stored_assets(light, field_name)
        if environment is not None:
            stored.sources.append(self._environment(environment, environment_field))
        lighting = self.resolve(stored, field_name, shared_harmonics=shared_harmonics, open_set=environment is not None)
        if not may_be_dark and is_dark(lighting.light, lighting.parts):
            raise InvalidArgumentError(f"{field_name}.sources", "give no light at all, so that the picture were black")
        return lighting

    def with_stored_assets(self, light: Light, field_name: str) -> Light:
        """Return a copy of a light whose maps and pictures are in the store, and have been decoded.

        Raises:
            InvalidArgumentError: an asset cannot be read, or is black; names the field.
        """
        stored = Light()
        stored.CopyFrom(light)
        for index, source in enumerate(stored.sources):
            kind = source.WhichOneof("kind")
            if kind == "environment_map":
                self._store_asset(source.environment_map.map, f"{field_name}.sources[{index}].environment_map.map")
            elif kind == "background":
                self._store_asset(source.background.image, f"{field_name}.sources[{index}].background.image")
        return stored

    def resolve(
        self, stored: Light, field_name: str, *, shared_harmonics: bool = False, open_set: bool = False
    ) -> Lighting:
        """Return a light whose assets are stored, ready to render; words and attributes that it lacks are added.

        Raises:
            InvalidArgumentError: there are no sources; names the field.
        """
        light = Light()
        light.CopyFrom(stored)
        parts = resolved(light, field_name, shared_harmonics)
        needs_words, needs_attributes = not light.text or open_set, not light.HasField("attributes")
        if needs_words or needs_attributes:
            radiance_of = self.radiance_of(light)
            found = [source_attributes(source, radiance_of) for source in light.sources]
            if needs_words:
                light.text = described(light, found)
            if needs_attributes:
                light.attributes.CopyFrom(total(found))
        backgrounds = tuple((sha256, self._assets.aspect(sha256)) for sha256 in sorted(_backgrounds(light)))
        return Lighting(light, parts, open_set, backgrounds, shared_harmonics)

    def radiance_of(self, light: Light) -> RadianceOf:
        """Return what reads the maps and pictures of a light whose assets are stored; maps at their reduced size."""
        pictures = _backgrounds(light)

        def radiance(artifact: Artifact) -> Array:
            read = self._assets.pixels if artifact.sha256 in pictures else self._assets.reduced_map
            return read(artifact.sha256)

        return radiance

    def licence(self, artifact: Artifact) -> Licence:
        """Return the terms of a map, a picture or a mesh that came from outside."""
        return self._assets.licence(artifact)

    def _environment(self, environment: Artifact, field_name: str) -> LightSource:
        stored = Artifact()
        stored.CopyFrom(environment)
        if self._store_asset(stored, field_name):
            return LightSource(environment_map=EnvironmentMapLight(map=stored))
        return LightSource(background=BackgroundLight(image=stored))

    def _store_asset(self, artifact: Artifact, field_name: str) -> bool:
        """Make an artifact one in the store, in place; return whether it is a panorama."""
        if not artifact.HasField("inline_data"):
            artifact.sha256 = self._store.sha256_of(artifact, field=field_name)
        elif not artifact.media_type:
            raise InvalidArgumentError(
                f"{field_name}.media_type", "set it for inline data, for example image/vnd.radiance"
            )
        else:
            artifact.CopyFrom(self._store.put_inline(artifact, field=field_name))
        return self._assets.read(artifact, field_name)


def _backgrounds(light: Light) -> set[str]:
    return {source.background.image.sha256 for source in light.sources if source.HasField("background")}
