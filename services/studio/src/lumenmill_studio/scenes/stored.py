"""Read scenes from the store and write them to it."""

from dataclasses import dataclass, field

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_studio.scenes.reading import scene_from_json
from lumenmill_studio.scenes.spec import MEDIA_TYPE, SceneSpec

__all__ = ["Scene", "read_scene", "store_scene"]

_MAX_SCENE_BYTES = 4 << 20


@dataclass(frozen=True)
class Scene:
    """A scene in the store; scenes are equal if their bytes are."""

    sha256: str
    spec: SceneSpec = field(compare=False)
    artifact: Artifact = field(compare=False)


def store_scene(store: ArtifactStore, spec: SceneSpec) -> Scene:
    """Put a scene into the store; errors as `ArtifactStore.put_bytes`."""
    artifact = store.put_bytes(spec.to_json(), MEDIA_TYPE)
    return Scene(artifact.sha256, spec, artifact)


def read_scene(store: ArtifactStore, artifact: Artifact | None, field_name: str = "scene") -> Scene:
    """Return the scene of a request.

    Raises:
        FailedPreconditionError: there is none.
        InvalidArgumentError: it is no scene.
    """
    if artifact is None or not (artifact.uri or artifact.HasField("inline_data")):
        raise FailedPreconditionError(
            "studio relights and decomposes only what it rendered: give the scene artifact that came with the image",
            field_name,
        )
    data = store.read_bytes(artifact, field=field_name, max_bytes=_MAX_SCENE_BYTES)
    spec = scene_from_json(data, field_name)
    if artifact.uri:
        sha256 = store.sha256_of(artifact, field_name)
        stored = Artifact(uri=artifact.uri, sha256=sha256, media_type=MEDIA_TYPE, size_bytes=len(data))
    else:
        stored = store.put_bytes(data, MEDIA_TYPE, sha256=artifact.sha256)
    return Scene(stored.sha256, spec, stored)
