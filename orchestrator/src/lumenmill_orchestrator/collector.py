"""Which artifacts are still needed, the removal of the others, and a check of all that lies in the store."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from lumenmill.orchestrator.v1 import artifact_service_pb2
from lumenmill_common.artifacts import WEIGHTS, ArtifactStore, StoredObject

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.ownership import Ownership
from lumenmill_orchestrator.storage.schema import artifact_uses

__all__ = ["DEFAULT_MIN_AGE_S", "GarbageCollector"]

DEFAULT_MIN_AGE_S = 86_400
_PAGE = 500
_END = "~"  # comes after every digest


class GarbageCollector:
    """Removes artifacts that no computation, run or export refers to and that are not young; never weights of models.

    Everything that a service makes for a step is referred to once the step has ended; until then its youth protects it.
    """

    def __init__(self, engine: sa.Engine, store: ArtifactStore) -> None:
        self._engine, self._store = engine, store
        self.ownership = Ownership(engine, store)

    def collect(
        self, *, min_age_s: float, dry_run: bool, retired_database_ids: Sequence[str] = ()
    ) -> Iterator[artifact_service_pb2.CollectGarbageResponse]:
        """Progress after every page of the store.

        Raises:
            FailedPreconditionError: another database refers to the same store.
            UnavailableError: the store does not answer.
        """
        self.ownership.refuse_to_share(retired_database_ids, dry_run=dry_run)
        progress = artifact_service_pb2.CollectGarbageResponse()
        # By the clock that dates the artifacts: if ours went wrong, young ones would look old.
        newest_s = self._store.clock_s() - min_age_s
        after = ""
        while page := self._store.list(after, _PAGE):
            after = page[-1].artifact.sha256
            needed = self._needed([stored.artifact.sha256 for stored in page])
            for stored in page:
                progress.num_examined += 1
                metrics.GARBAGE_ARTIFACTS.labels("examined").inc()
                sha256 = stored.artifact.sha256
                is_weights = stored.artifact.media_type in WEIGHTS
                if is_weights or sha256 in needed or stored.modified_time_s > newest_s:
                    continue
                needed.add(sha256)  # judged with all its media types at once
                unneeded = self._unneeded(sha256, newest_s)
                if unneeded and not dry_run:
                    self._store.delete(sha256)
                    metrics.GARBAGE_ARTIFACTS.labels("removed").inc(len(unneeded))
                    metrics.GARBAGE_BYTES.inc(sum(each.artifact.size_bytes for each in unneeded))
                progress.num_removed += len(unneeded)
                progress.num_bytes_freed += sum(each.artifact.size_bytes for each in unneeded)
            yield progress
        if not dry_run:
            # Results that services kept over restarts; whoever still wants one asks within that time.
            self._store.delete_results_before(newest_s)
            metrics.GARBAGE_COLLECTED.set_to_current_time()

    def missing(self) -> Iterator[str]:
        """Digests of all artifacts that this database refers to as made or given, and that are not in the store."""
        stored = self._stored()
        there = next(stored, _END)
        for sha256 in self._referred_to():
            while there < sha256:
                there = next(stored, _END)
            # It may have been written since its part of the store was listed.
            if there != sha256 and self._store.stat(sha256) is None:
                yield sha256

    def _stored(self) -> Iterator[str]:
        """Digests of all artifacts in the store, in order."""
        after = ""
        while page := self._store.list(after, _PAGE):
            after = page[-1].artifact.sha256
            yield from (stored.artifact.sha256 for stored in page)

    def _referred_to(self) -> Iterator[str]:
        """Digests that this database refers to, in order."""
        after, column = "", artifact_uses.c.sha256
        while True:
            query = sa.select(column).where(column > after).distinct().order_by(column).limit(_PAGE)
            with self._engine.connect() as connection:
                page = list(connection.execute(query).scalars())
            if not page:
                return
            after = page[-1]
            yield from page

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
