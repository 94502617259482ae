"""The files of one dataset, in the store."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore

from lumenmill_orchestrator.storage import ExportStore

__all__ = ["StoreDestination"]


class StoreDestination:
    """Collects the files of one dataset. See exporters.interfaces.Destination.

    Files that are used again are made young again: nothing refers to them until the export is kept, and a collection
    must not take them meanwhile.
    """

    def __init__(self, folder: Path, store: ArtifactStore, exports: ExportStore, *, embed_media: bool) -> None:
        self.folder, self.store, self.embed_media = folder, store, embed_media
        self._exports = exports
        self._files: dict[str, run_pb2.ExportedFile] = {}

    @property
    def files(self) -> list[run_pb2.ExportedFile]:
        """All files, in the order in which they came."""
        return list(self._files.values())

    def add_media(self, path: str, artifact: artifact_pb2.Artifact) -> None:
        """See the seam."""
        if path not in self._files:
            bare = artifact_pb2.Artifact(
                uri=artifact.uri, sha256=artifact.sha256, media_type=artifact.media_type, size_bytes=artifact.size_bytes
            )
            self._add(path, bare, reused=True)

    def add_file(self, path: str, local: Path, media_type: str) -> None:
        """See the seam."""
        with local.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        there = self.store.stat(sha256)
        reused = there is not None and there.media_type == media_type and self.store.touch(sha256)
        artifact = there if there is not None and reused else self.store.put_file(local, media_type, sha256=sha256)
        self._add(path, artifact, reused=reused)

    def add_shard(self, path: str, content_key: str, media_type: str, write: Callable[[Path], None]) -> None:
        """See the seam."""
        before = self._exports.file(content_key)
        if before is not None and self.store.touch(before.sha256):
            self._add(path, before, reused=True)
            return
        local = self.folder / "shard"
        write(local)
        artifact = self.store.put_file(local, media_type)
        local.unlink()
        self._exports.save_file(content_key, artifact)
        self._add(path, artifact, reused=False)

    def _add(self, path: str, artifact: artifact_pb2.Artifact, *, reused: bool) -> None:
        self._files[path] = run_pb2.ExportedFile(path=path, artifact=artifact, reused=reused)
