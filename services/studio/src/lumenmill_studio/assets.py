"""What comes from outside: the operator's meshes and environment maps, and pictures that requests name."""

import io
import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mitsuba as mi
import numpy as np
import trimesh
from lumenmill.common.v1.artifact_pb2 import Artifact, EnvironmentMapFacts, Licence, MeshFacts
from lumenmill_common.artifacts import ArtifactStore, media_type_of
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_light.color import LUMINANCE
from lumenmill_light.environment_map import reduced
from lumenmill_media import decode_light, is_panorama
from numpy.typing import NDArray

from lumenmill_studio.byte_cache import ByteCache
from lumenmill_studio.scenes.shapes.mesh import Mesh, Part, with_smooth_normals
from lumenmill_studio.scenes.spec import ObjectSpec
from lumenmill_studio.terms import FolderTerms, licence_of

Array = NDArray[np.float32]

_MAPS_SETTING, _ASSETS_SETTING = "LUMENMILL_ENVIRONMENT_MAPS_DIR", "LUMENMILL_ASSETS_DIR"
_MAP_SUFFIXES = (".hdr", ".exr")
_MESH_SUFFIXES = (".obj", ".ply", ".glb")
# What readers of meshes raise for files that are none.
_MESH_ERRORS = (RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError)
_MAX_MESH_BYTES = 256 << 20
_MAX_TRIANGLES = 2_000_000
_MAX_PICTURE_BYTES = 256 << 20
_PICTURES_BYTES = 1 << 30
# Some 170 maps.
_REDUCED_MAPS_BYTES = 16 << 20
# More than the sources of all lights of one request (64 keyframes of 16).
_NUM_SOURCES = 4096


@dataclass(frozen=True)
class _Source:
    """What a picture was read from, and what is known of it while its pixels are not cached."""

    artifact: Artifact
    field: str
    is_panorama: bool
    aspect: float


class Assets:
    """Pictures by digest and meshes by name, read through the store and verified there."""

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
        """Put the operator's files into the store.

        Raises:
            FailedPreconditionError: a folder is missing, or a file in it cannot be read; names it.
        """
        for folder, setting in ((self._maps_dir, _MAPS_SETTING), (self._assets_dir, _ASSETS_SETTING)):
            if folder and not folder.is_dir():
                raise FailedPreconditionError(f"{folder} is no folder", setting)
        if self._maps_dir:
            terms = FolderTerms.of(self._maps_dir, _MAPS_SETTING)
            self.environment_maps += [self._map(path, terms) for path in _files(self._maps_dir, _MAP_SUFFIXES)]
        if self._assets_dir:
            terms = FolderTerms.of(self._assets_dir, _ASSETS_SETTING)
            maps = _files(self._assets_dir / "environment_maps", _MAP_SUFFIXES)
            self.environment_maps += [self._map(path, terms) for path in maps]
            meshes = _files(self._assets_dir / "meshes", _MESH_SUFFIXES)
            self.meshes = {path.stem.lower().replace("_", " "): self._mesh(path, terms) for path in meshes}

    def licence(self, artifact: Artifact) -> Licence:
        """The terms of a map, a picture or a mesh: the operator's for a file of theirs, else those that it states."""
        own = (each for each in (*self.environment_maps, *self.meshes.values()) if each.sha256 == artifact.sha256)
        return licence_of(next((each for each in own if each.HasField("licence")), artifact))

    def read(self, artifact: Artifact, field: str) -> bool:
        """Read a picture for :meth:`pixels`, unless it is known; return whether it is a panorama.

        Raises:
            InvalidArgumentError: no picture that studio reads, or a black one; names the field.
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
        data = self._store.read_bytes(artifact, field=field, max_bytes=_MAX_PICTURE_BYTES)
        try:
            image = decode_light(data)
        except ValueError as error:
            raise InvalidArgumentError(field, str(error)) from error
        if not image.any():
            raise InvalidArgumentError(field, "holds no light: every pixel is black, negative or not a number")
        self._pictures.put(artifact.sha256, image)
        stored = Artifact(uri=artifact.uri, sha256=artifact.sha256)
        self._remember(_Source(stored, field, is_panorama(image, data), image.shape[0] / image.shape[1]))
        return image

    def _remember(self, source: _Source) -> None:
        """Record a verified picture, for long enough that every picture of one request is known."""
        self._sources[source.artifact.sha256] = source
        self._sources.move_to_end(source.artifact.sha256)
        while len(self._sources) > _NUM_SOURCES:
            self._sources.popitem(last=False)

    def parts(self, item: ObjectSpec) -> tuple[Part, ...]:
        """The parts of a user's mesh: standing on y = 0, centred, one metre tall before the object's scale.

        Raises:
            InvalidArgumentError: no mesh that studio reads; names ``scene``.
        """
        artifact = Artifact(uri=item.asset_uri, sha256=item.asset_sha256)
        try:
            with self._store.local_file(artifact) as path:
                return (Part(_normalised(_read_mesh(path))),)
        except (InvalidArgumentError, *_MESH_ERRORS) as error:
            raise InvalidArgumentError("scene", f"has a mesh that cannot be read: {error}") from error

    def _map(self, path: Path, terms: FolderTerms) -> Artifact:
        try:
            image = decode_light(path.read_bytes())
        except ValueError as error:
            raise FailedPreconditionError(f"{path.name}: {error}", _MAPS_SETTING) from error
        height, width = image.shape[:2]
        polar = np.sin((np.arange(height) + 0.5) / height * np.pi)
        mean = float(((image @ LUMINANCE).mean(axis=1) * polar).sum() / polar.sum())
        facts = EnvironmentMapFacts(width_px=width, height_px=height, mean_radiance=round(mean, 6))
        artifact = self._store.put_file(path, media_type_of(path.name), name=path.name, environment_map=facts)
        return terms.put_on(artifact, path)

    def _mesh(self, path: Path, terms: FolderTerms) -> Artifact:
        try:
            mesh = _read_mesh(path)
        except _MESH_ERRORS as error:
            raise FailedPreconditionError(f"{path.name}: {error}", _ASSETS_SETTING) from error
        facts = MeshFacts(num_vertices=len(mesh.vertices_v3), num_faces=len(mesh.faces_f3))
        artifact = self._store.put_file(path, media_type_of(path.name), name=path.name, mesh=facts)
        return terms.put_on(artifact, path)


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes) if folder.is_dir() else []


def _read_mesh(path: Path) -> Mesh:
    if path.stat().st_size > _MAX_MESH_BYTES:
        raise ValueError(f"has more than {_MAX_MESH_BYTES} bytes")
    if path.suffix.lower() == ".glb":
        return _read_glb(path)
    if path.suffix.lower() == ".ply":
        return _read_ply(path)
    shape: Any = mi.load_dict({"type": "obj", "filename": str(path)})
    values = mi.traverse(shape)
    vertices = np.array(values["vertex_positions"], np.float64).reshape(-1, 3)
    faces = np.array(values["faces"], np.uint32).reshape(-1, 3)
    coordinates = np.array(values["vertex_texcoords"], np.float64).reshape(-1, 2)
    return _checked(vertices, faces, coordinates if len(coordinates) == len(vertices) else vertices[:, :2])


def _read_ply(path: Path) -> Mesh:
    """The triangles of a PLY file. Mitsuba's own reader follows numbers of vertices that are not there."""
    whole: Any = trimesh.load_mesh(io.BytesIO(path.read_bytes()), file_type="ply", process=False)
    vertices = np.asarray(whole.vertices, np.float64)
    coordinates = getattr(whole.visual, "uv", None)
    uv = vertices[:, :2] if coordinates is None else np.asarray(coordinates, np.float64)
    return _checked(vertices, np.asarray(whole.faces, np.int64), uv if len(uv) == len(vertices) else vertices[:, :2])


def _read_glb(path: Path) -> Mesh:
    """The triangles of every node of a binary glTF file, placed as its scene places them; its materials are left."""
    data = path.read_bytes()
    _refuse_other_files(data)
    scene = trimesh.load_scene(io.BytesIO(data), file_type="glb", skip_materials=True)
    whole: Any = scene.to_mesh()
    vertices = np.asarray(whole.vertices, np.float64)
    return _checked(vertices, np.asarray(whole.faces, np.int64), vertices[:, :2])


def _refuse_other_files(data: bytes) -> None:
    """A file stands for itself: the numbers of one that names others, by path or address, are not looked for."""
    document = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    uris = [buffer.get("uri", "data:") for buffer in document.get("buffers", ())]
    if not all(isinstance(uri, str) and uri.startswith("data:") for uri in uris):
        raise ValueError("has its numbers in another file; pack them into it")


def _checked(vertices_v3: NDArray[np.float64], faces_f3: NDArray[Any], uv_v2: NDArray[np.float64]) -> Mesh:
    """The mesh, each of its triangles once: thousands in one place would take the renderer hours."""
    if not len(faces_f3):
        raise ValueError("has no triangles")
    if len(faces_f3) > _MAX_TRIANGLES:
        raise ValueError(f"has {len(faces_f3)} triangles; at most {_MAX_TRIANGLES}")
    if int(faces_f3.min()) < 0 or int(faces_f3.max()) >= len(vertices_v3):
        raise ValueError("has triangles of vertices that it does not have")
    if not np.isfinite(vertices_v3).all():
        raise ValueError("has vertices that are not finite")
    lower, upper = vertices_v3.min(axis=0), vertices_v3.max(axis=0)
    if upper[1] - lower[1] <= 1e-6 * float((upper - lower).max()):
        raise ValueError("has no height, by which it would be scaled")
    first = np.sort(np.unique(np.sort(faces_f3, axis=1), axis=0, return_index=True)[1])
    return with_smooth_normals(Mesh(vertices_v3, faces_f3[first].astype(np.uint32), uv_v2))


def _normalised(mesh: Mesh) -> Mesh:
    lower, upper = mesh.lower, mesh.upper
    middle = np.array([(lower[0] + upper[0]) / 2, lower[1], (lower[2] + upper[2]) / 2])
    size = 1.0 / max(float(upper[1] - lower[1]), 1e-9)
    return Mesh((mesh.vertices_v3 - middle) * size, mesh.faces_f3, mesh.uv_v2 * size, mesh.normals_v3)
