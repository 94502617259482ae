"""Which artifacts are still needed, and the removal of the others."""

import time
from collections.abc import Iterator

import sqlalchemy as sa
from lumenmill.orchestrator.v1 import artifact_service_pb2
from lumenmill_common.artifacts import ArtifactStore, StoredObject

from lumenmill_orchestrator.storage.schema import artifact_uses

__all__ = ["DEFAULT_MIN_AGE_S", "GarbageCollector"]

DEFAULT_MIN_AGE_S = 86_400
_PAGE = 500


class GarbageCollector:
    """Removes artifacts that no computation, run or export refers to and that are not young.

    Everything that a service makes for a node is referred to once the node has ended; until then its youth protects it.
    """

    def __init__(self, engine: sa.Engine, store: ArtifactStore) -> None:
        self._engine, self._store = engine, store

    def collect(self, *, min_age_s: float, dry_run: bool) -> Iterator[artifact_service_pb2.CollectGarbageResponse]:
        """Progress after every page of the store."""
        progress = artifact_service_pb2.CollectGarbageResponse()
        newest_s = time.time() - min_age_s
        after = ""
        while page := self._store.list(after, _PAGE):
            after = page[-1].artifact.sha256
            needed = self._needed([stored.artifact.sha256 for stored in page])
            for stored in page:
                progress.num_examined += 1
                sha256 = stored.artifact.sha256
                if sha256 in needed or stored.modified_time_s > newest_s:
                    continue
                needed.add(sha256)  # judged with all its media types at once
                unneeded = self._unneeded(sha256, newest_s)
                if unneeded and not dry_run:
                    self._store.delete(sha256)
                progress.num_removed += len(unneeded)
                progress.num_bytes_freed += sum(each.artifact.size_bytes for each in unneeded)
            yield progress
        if not dry_run:
            # Results that services kept over restarts; whoever still wants one asks within that time.
            self._store.delete_notes_before(newest_s)

    def _unneeded(self, sha256: str, newest_s: float) -> list[StoredObject]:
        """All that lies in the store with one digest, as long as nothing refers to it and none of it is young.

        A page takes its time: an artifact may have come into use or been written again since it was listed.
        """
        objects = self._all_of(sha256)
        if any(stored.modified_time_s > newest_s for stored in objects) or self._needed([sha256]):
            return []
        return objects

    def _all_of(self, sha256: str) -> list[StoredObject]:
        number = int(sha256, 16)
        before = f"{number - 1:064x}" if number else ""
        limit = 2
        while True:
            found = [stored for stored in self._store.list(before, limit) if stored.artifact.sha256 == sha256]
            if len(found) < limit:
                return found
            limit *= 2

    def _needed(self, sha256s: list[str]) -> set[str]:
        query = sa.select(artifact_uses.c.sha256).where(artifact_uses.c.sha256.in_(sha256s)).distinct()
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())
