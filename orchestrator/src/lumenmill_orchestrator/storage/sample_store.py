"""Rows of samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import NotFoundError

from lumenmill_orchestrator.storage.schema import samples

__all__ = ["SampleFilter", "SampleStore", "StoredSample"]

_CHUNK = 200


@dataclass(frozen=True)
class SampleFilter:
    """Which samples; an empty field lets all pass."""

    run_id: str = ""
    verdicts: Sequence[int] = ()
    kinds: Sequence[int] = ()
    group_id: str = ""


@dataclass(frozen=True)
class StoredSample:
    """A sample with its place in the order and its direct parents."""

    seq: int
    sample: run_pb2.Sample
    parents: str


class SampleStore:
    """Reads samples. Synchronous: call it from worker threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, sample_id: str) -> StoredSample:
        """One sample.

        Raises:
            NotFoundError: there is none with this id.
        """
        query = sa.select(samples.c.seq, samples.c.message, samples.c.parents).where(samples.c.id == sample_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFoundError(f"no sample `{sample_id}`")
        return StoredSample(row.seq, run_pb2.Sample.FromString(row.message), row.parents)

    def page(self, wanted: SampleFilter, after_seq: int, limit: int) -> list[StoredSample]:
        """Samples in the order in which they were made, from after a sequence number on."""
        query = sa.select(samples.c.seq, samples.c.message, samples.c.parents)
        query = query.where(samples.c.seq > after_seq, *_conditions(wanted))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(samples.c.seq).limit(limit)).all()
        return [StoredSample(row.seq, run_pb2.Sample.FromString(row.message), row.parents) for row in rows]

    def count(self, wanted: SampleFilter) -> int:
        """How many there are."""
        query = sa.select(sa.func.count()).select_from(samples).where(*_conditions(wanted))
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def each(self, wanted: SampleFilter) -> Iterator[StoredSample]:
        """All samples, read in pages so that memory stays flat."""
        after_seq = 0
        while page := self.page(wanted, after_seq, _CHUNK):
            yield from page
            after_seq = page[-1].seq


def _conditions(wanted: SampleFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.run_id:
        conditions.append(samples.c.run_id == wanted.run_id)
    if wanted.verdicts:
        conditions.append(samples.c.verdict.in_(wanted.verdicts))
    if wanted.kinds:
        conditions.append(samples.c.kind.in_(wanted.kinds))
    if wanted.group_id:
        conditions.append(samples.c.group_id == wanted.group_id)
    return conditions
