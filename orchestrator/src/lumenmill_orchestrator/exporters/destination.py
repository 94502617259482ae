"""Writes the files of one dataset into the store."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_orchestrator.storage import ExportStore

__all__ = ["StoreDestination"]


class StoreDestination:
    """Collects the files of one dataset; implements `exporters.interfaces.Destination`.

    Reused files get a new modification time: nothing refers to them until the export is saved, and garbage collection
    must not remove them meanwhile.
    """

    def __init__(
        self, folder: Path, store: ArtifactStore, exports: ExportStore, *, embed_media: bool, for_spreadsheets: bool
    ) -> None:
        self.folder, self.store = folder, store
        self.embed_media, self.for_spreadsheets = embed_media, for_spreadsheets
        self._exports = exports
        self._files: dict[str, run_pb2.ExportedFile] = {}

    @property
    def files(self) -> list[run_pb2.ExportedFile]:
        """Return all files, in the order in which they were added."""
        return list(self._files.values())

    def add_media(self, path: str, artifact: artifact_pb2.Artifact) -> None:
        """See `Destination`."""
        if path not in self._files:
            reference = artifact_pb2.Artifact(
                uri=artifact.uri, sha256=artifact.sha256, media_type=artifact.media_type, size_bytes=artifact.size_bytes
            )
            self._add(path, reference, reused=True)

    def add_file(self, path: str, local: Path, media_type: str) -> None:
        """See `Destination`."""
        with local.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        stored = self.store.stat(sha256)
        reused = stored is not None and stored.media_type == media_type and self.store.touch(sha256)
        artifact = stored if stored is not None and reused else self.store.put_file(local, media_type, sha256=sha256)
        self._add(path, artifact, reused=reused)

    def add_shard(self, path: str, content_key: str, media_type: str, write: Callable[[Path], None]) -> None:
        """See `Destination`."""
        earlier = self._exports.file(content_key)
        if earlier is not None and self.store.touch(earlier.sha256):
            self._add(path, earlier, reused=True)
            return
        local = self.folder / "shard"
        write(local)
        artifact = self.store.put_file(local, media_type)
        local.unlink()
        self._exports.save_file(content_key, artifact)
        self._add(path, artifact, reused=False)

    def _add(self, path: str, artifact: artifact_pb2.Artifact, *, reused: bool) -> None:
        self._files[path] = run_pb2.ExportedFile(path=path, artifact=artifact, reused=reused)
