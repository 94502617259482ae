"""Read assets: the operator's meshes and environment maps, and the pictures that requests name."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lumenmill.common.v1.artifact_pb2 import Artifact, EnvironmentMapFacts, Licence, MeshFacts
from lumenmill_common.artifacts import ArtifactStore, media_type_of
from lumenmill_common.decoding import MESH_LIMITS, decoding_pool
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_light.environment_map import reduced
from lumenmill_media import read_light
from lumenmill_studio.byte_cache import ByteCache
from lumenmill_studio.map_folder import usable_maps
from lumenmill_studio.mesh_files import read_mesh
from lumenmill_studio.mesh_folder import usable_meshes
from lumenmill_studio.scenes.shapes.mesh import Part
from lumenmill_studio.scenes.spec import ObjectSpec
from lumenmill_studio.terms import FolderTerms, licence_of

__all__ = ["Array", "Assets"]

Array = NDArray[np.float32]

_MAPS_SETTING, _ASSETS_SETTING = "LUMENMILL_ENVIRONMENT_MAPS_DIR", "LUMENMILL_ASSETS_DIR"
_MAX_PICTURE_BYTES = 256 << 20
_PICTURES_BYTES = 1 << 30
# Some 170 maps.
_REDUCED_MAPS_BYTES = 16 << 20
# More than all sources of one request (64 keyframes with 16 sources each).
_NUM_SOURCES = 4096


@dataclass(frozen=True)
class _Source:
    """The artifact of a picture that was read, and its facts, which outlive the cached pixels."""

    artifact: Artifact
    field: str
    is_panorama: bool
    aspect: float


class Assets:
    """Pictures by digest and meshes by name; all are read through the store, which verifies them."""

    def __init__(
        self,
        store: ArtifactStore,
        maps_dir: Path | None,
        assets_dir: Path | None,
        *,
        pictures_bytes: int = _PICTURES_BYTES,
    ) -> None:
        self._store, self._maps_dir, self._assets_dir = store, maps_dir, assets_dir
        self._pictures: ByteCache[str, Array] = ByteCache(pictures_bytes)
        self._reduced_maps: ByteCache[str, Array] = ByteCache(_REDUCED_MAPS_BYTES)
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self.environment_maps: list[Artifact] = []
        self.meshes: dict[str, Artifact] = {}

    def load(self) -> None:
        """Put the operator's files into the store; those that cannot be used are logged and left out.

        Raises:
            FailedPreconditionError: a folder is missing, or its licences cannot be read.
        """
        for folder, setting in ((self._maps_dir, _MAPS_SETTING), (self._assets_dir, _ASSETS_SETTING)):
            if folder and not folder.is_dir():
                raise FailedPreconditionError(f"{folder} is no folder", setting)
        if self._maps_dir:
            terms = FolderTerms.of(self._maps_dir, _MAPS_SETTING)
            self.environment_maps += [self._map(path, facts, terms) for path, facts in usable_maps(self._maps_dir)]
        if self._assets_dir:
            terms = FolderTerms.of(self._assets_dir, _ASSETS_SETTING)
            maps = usable_maps(self._assets_dir / "environment_maps")
            self.environment_maps += [self._map(path, facts, terms) for path, facts in maps]
            meshes = usable_meshes(self._assets_dir / "meshes")
            self.meshes = {name: self._mesh(path, facts, terms) for name, (path, facts) in meshes.items()}

    def licence(self, artifact: Artifact) -> Licence:
        """Return the terms of an asset: those of the operator for their files, else those that the artifact states."""
        own = (each for each in (*self.environment_maps, *self.meshes.values()) if each.sha256 == artifact.sha256)
        return licence_of(next((each for each in own if each.HasField("licence")), artifact))

    def read(self, artifact: Artifact, field: str) -> bool:
        """Read a picture unless that was done before, and return whether it is a panorama.

        Raises:
            InvalidArgumentError: it is no picture that studio reads, or it is black; names the field.
        """
        if artifact.sha256 not in self._sources:
            self._decode(artifact, field)
        self._sources.move_to_end(artifact.sha256)
        return self._sources[artifact.sha256].is_panorama

    def pixels(self, sha256: str) -> Array:
        """Return the linear radiance (H, W, 3) of a picture that was read; it is decoded again if no longer cached."""
        known = self._pictures.get(sha256)
        if known is not None:
            return known
        source = self._sources[sha256]
        return self._decode(source.artifact, source.field)

    def reduced_map(self, sha256: str) -> Array:
        """Return an environment map that was read at the size at which its light is analysed."""
        known = self._reduced_maps.get(sha256)
        if known is None:
            known = reduced(self.pixels(sha256))
            self._reduced_maps.put(sha256, known)
        return known

    def aspect(self, sha256: str) -> float:
        """Return height over width of a picture that was read."""
        return self._sources[sha256].aspect

    def _decode(self, artifact: Artifact, field: str) -> Array:
        image, is_panorama = read_light(self._store, artifact, field, _MAX_PICTURE_BYTES)
        if not image.any():
            raise InvalidArgumentError(field, "holds no light: every pixel is black, negative or not a number")
        self._pictures.put(artifact.sha256, image)
        stored = Artifact(uri=artifact.uri, sha256=artifact.sha256)
        self._remember(_Source(stored, field, is_panorama, image.shape[0] / image.shape[1]))
        return image

    def _remember(self, source: _Source) -> None:
        """Record a verified picture, for long enough that every picture of one request is known."""
        self._sources[source.artifact.sha256] = source
        self._sources.move_to_end(source.artifact.sha256)
        while len(self._sources) > _NUM_SOURCES:
            self._sources.popitem(last=False)

    def parts(self, item: ObjectSpec) -> tuple[Part, ...]:
        """Return the parts of an operator's mesh: standing on y = 0, centred, scaled to a height of one metre.

        Raises:
            InvalidArgumentError: it is no mesh that studio reads; names ``scene``.
        """
        artifact = Artifact(uri=item.asset_uri, sha256=item.asset_sha256)
        try:
            with self._store.local_file(artifact) as path:
                return (Part(decoding_pool().run(read_mesh, path, field="", limits=MESH_LIMITS)),)
        except InvalidArgumentError as error:
            raise InvalidArgumentError("scene", f"has a mesh that cannot be read: {error}") from error

    def _map(self, path: Path, facts: EnvironmentMapFacts, terms: FolderTerms) -> Artifact:
        artifact = self._store.put_file(path, media_type_of(path.name), name=path.name, environment_map=facts)
        return terms.put_on(artifact, path)

    def _mesh(self, path: Path, facts: MeshFacts, terms: FolderTerms) -> Artifact:
        artifact = self._store.put_file(path, media_type_of(path.name), name=path.name, mesh=facts)
        return terms.put_on(artifact, path)
