"""Rows of samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import NotFoundError
from lumenmill_orchestrator.storage.pages import page_of
from lumenmill_orchestrator.storage.schema import runs, samples

__all__ = ["SampleFilter", "SampleStore", "StoredSample"]

_PAGE_SIZE = 200


@dataclass(frozen=True)
class SampleFilter:
    """Selects samples; an empty field selects all."""

    run_id: str = ""
    verdicts: Sequence[int] = ()
    kinds: Sequence[int] = ()
    group_id: str = ""


@dataclass(frozen=True)
class StoredSample:
    """A sample with its sequence number and its direct parents."""

    seq: int
    sample: run_pb2.Sample
    parents: str


class SampleStore:
    """Reads samples. Synchronous: call it from worker threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, sample_id: str) -> StoredSample:
        """Return one sample.

        Raises:
            NotFoundError: no sample has this id.
        """
        query = sa.select(samples.c.seq, samples.c.message, samples.c.parents).where(samples.c.id == sample_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFoundError(f"no sample `{sample_id}`")
        return StoredSample(row.seq, run_pb2.Sample.FromString(row.message), row.parents)

    def page(self, selected: SampleFilter, after_seq: int, limit: int) -> list[StoredSample]:
        """Return samples after a sequence number, in the order in which they were made."""
        query = sa.select(samples.c.seq, samples.c.message, samples.c.parents)
        query = query.where(samples.c.seq > after_seq, *_conditions(selected))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(samples.c.seq).limit(limit)).all()
        return [StoredSample(row.seq, run_pb2.Sample.FromString(row.message), row.parents) for row in rows]

    def listed(self, selected: SampleFilter, after_seq: int, size: int) -> tuple[list[StoredSample], bool]:
        """Return samples after the one with a sequence number, 0 for the first ones, and whether there are more.

        They are listed run by run, item by item, and those of an item in the order of the recipe, whatever was finished
        first. Fewer than `size` are returned where they are large.
        """
        order: list[sa.ColumnElement[Any]] = [samples.c.item_id, samples.c.seq]
        table: sa.FromClause = samples
        if not selected.run_id:
            order, table = [runs.c.seq, *order], samples.join(runs, runs.c.id == samples.c.run_id)
        sizes = sa.select(samples.c.seq, sa.func.length(samples.c.message)).select_from(table)
        query = sizes.where(*_conditions(selected)).order_by(*order).limit(size + 1)
        with self._engine.connect() as connection:
            if after_seq:
                place = sa.select(*order).select_from(table).where(samples.c.seq == after_seq)
                last = connection.execute(place).one_or_none()
                if last is None:
                    return [], False
                query = query.where(sa.tuple_(*order) > sa.tuple_(*last))
            # The messages are read apart: rows that are sorted would hold them.
            seqs, has_more = page_of(connection.execute(query).all(), size)
            rows = sa.select(samples.c.seq, samples.c.message, samples.c.parents).where(samples.c.seq.in_(seqs))
            found = {row.seq: row for row in connection.execute(rows)}
        listed = [StoredSample(seq, run_pb2.Sample.FromString(found[seq].message), found[seq].parents) for seq in seqs]
        return listed, has_more

    def count(self, selected: SampleFilter) -> int:
        """Return the number of selected samples."""
        query = sa.select(sa.func.count()).select_from(samples).where(*_conditions(selected))
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def each(self, selected: SampleFilter) -> Iterator[StoredSample]:
        """Yield the selected samples, read in pages to bound memory."""
        after_seq = 0
        while page := self.page(selected, after_seq, _PAGE_SIZE):
            yield from page
            after_seq = page[-1].seq


def _conditions(selected: SampleFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if selected.run_id:
        conditions.append(samples.c.run_id == selected.run_id)
    if selected.verdicts:
        conditions.append(samples.c.verdict.in_(selected.verdicts))
    if selected.kinds:
        conditions.append(samples.c.kind.in_(selected.kinds))
    if selected.group_id:
        conditions.append(samples.c.group_id == selected.group_id)
    return conditions
