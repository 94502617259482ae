"""Garbage collection of the store: finds the artifacts that are in use, and removes the others."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from lumenmill.orchestrator.v1 import artifact_service_pb2
from lumenmill_common.artifacts import WEIGHTS, ArtifactStore, StoredObject
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.ownership import Ownership
from lumenmill_orchestrator.storage.schema import artifact_uses

__all__ = ["DEFAULT_MIN_AGE_S", "GarbageCollector"]

DEFAULT_MIN_AGE_S = 86_400
_PAGE_SIZE = 500
_END = "~"  # sorts after every digest


class GarbageCollector:
    """Removes artifacts that no computation, run or export refers to, unless they are young or weights of models.

    Artifacts that a service makes for a step are referred to once the step has ended; until then their age protects
    them.
    """

    def __init__(self, engine: sa.Engine, store: ArtifactStore) -> None:
        self._engine, self._store = engine, store
        self.ownership = Ownership(engine, store)

    def collect(
        self, *, min_age_s: float, dry_run: bool, retired_database_ids: Sequence[str] = ()
    ) -> Iterator[artifact_service_pb2.CollectGarbageResponse]:
        """Remove unused artifacts; yield the progress after every page of the store.

        Raises:
            FailedPreconditionError: another database refers to the same store.
            UnavailableError: the store does not answer.
        """
        self.ownership.check_sole_owner(retired_database_ids, dry_run=dry_run)
        progress = artifact_service_pb2.CollectGarbageResponse()
        # By the clock of the store, which dates the artifacts: with a wrong local clock young ones would look old.
        newest_s = self._store.clock_s() - min_age_s
        after = ""
        while page := self._store.list(after, _PAGE_SIZE):
            after = page[-1].artifact.sha256
            self._collect_page(page, newest_s, progress, dry_run=dry_run)
            yield progress
        if not dry_run:
            # Persisted results of services; callers fetch them within that time.
            self._store.delete_results_before(newest_s)
            metrics.GARBAGE_COLLECTED.set_to_current_time()

    def _collect_page(
        self,
        page: Sequence[StoredObject],
        newest_s: float,
        progress: artifact_service_pb2.CollectGarbageResponse,
        *,
        dry_run: bool,
    ) -> None:
        skipped = self._in_use([stored.artifact.sha256 for stored in page])
        for stored in page:
            progress.num_examined += 1
            metrics.GARBAGE_ARTIFACTS.labels("examined").inc()
            sha256 = stored.artifact.sha256
            if stored.artifact.media_type in WEIGHTS or sha256 in skipped or stored.modified_time_s > newest_s:
                continue
            skipped.add(sha256)  # all its media types are handled at once
            unused = self._unused(sha256, newest_s)
            num_bytes = sum(each.artifact.size_bytes for each in unused)
            if unused and not dry_run:
                self._store.delete(sha256)
                metrics.GARBAGE_ARTIFACTS.labels("removed").inc(len(unused))
                metrics.GARBAGE_BYTES.inc(num_bytes)
            progress.num_removed += len(unused)
            progress.num_bytes_freed += num_bytes

    def missing(self) -> Iterator[str]:
        """Yield the digests of all artifacts that this database refers to and that are not in the store."""
        stored = self._stored()
        found = next(stored, _END)
        for sha256 in self._referred_to():
            while found < sha256:
                found = next(stored, _END)
            # It may have been written since its page of the store was listed.
            if found != sha256 and self._store.stat(sha256) is None:
                yield sha256

    def _stored(self) -> Iterator[str]:
        """Yield the digests of all artifacts in the store, in order."""
        after = ""
        while page := self._store.list(after, _PAGE_SIZE):
            after = page[-1].artifact.sha256
            yield from (stored.artifact.sha256 for stored in page)

    def _referred_to(self) -> Iterator[str]:
        """Yield the digests that this database refers to, in order."""
        after, column = "", artifact_uses.c.sha256
        while True:
            query = sa.select(column).where(column > after).distinct().order_by(column).limit(_PAGE_SIZE)
            with self._engine.connect() as connection:
                page = list(connection.execute(query).scalars())
            if not page:
                return
            after = page[-1]
            yield from page

    def _unused(self, sha256: str, newest_s: float) -> list[StoredObject]:
        """Return the objects with one digest if nothing refers to it and none of them is young; else nothing.

        This checks again because a page takes a while: an artifact may be in use or rewritten since it was listed.
        """
        objects = self._objects_of(sha256)
        if any(stored.modified_time_s > newest_s for stored in objects) or self._in_use([sha256]):
            return []
        return objects

    def _objects_of(self, sha256: str) -> list[StoredObject]:
        number = int(sha256, 16)
        before = f"{number - 1:064x}" if number else ""
        limit = 2
        while True:
            found = [stored for stored in self._store.list(before, limit) if stored.artifact.sha256 == sha256]
            if len(found) < limit:
                return found
            limit *= 2

    def _in_use(self, sha256s: list[str]) -> set[str]:
        query = sa.select(artifact_uses.c.sha256).where(artifact_uses.c.sha256.in_(sha256s)).distinct()
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())
