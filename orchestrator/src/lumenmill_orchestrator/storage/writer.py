"""Group commit: many steps end at once, one transaction makes all of them durable.

Callers hand over rows and are told when they are on disk. One thread takes everything that waits and commits it
together, so that a step costs a share of a transaction.
"""

import asyncio
import queue
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.storage import schema
from lumenmill_orchestrator.storage.database import insert_into, is_database_unavailable, patiently, storable

__all__ = ["CountDelta", "GroupWriter", "Rows"]

_MOST_PER_TRANSACTION = 512


@dataclass(frozen=True)
class CountDelta:
    """What to add to the counts of one step of a run."""

    run_id: str
    step: str
    amounts: dict[str, float]


@dataclass
class Rows:
    """What one caller wants to be durable, all of it or nothing."""

    inserts: list[tuple[sa.Table, dict[str, Any]]] = field(default_factory=list)
    """Rows that are kept once; a row with the same key is left as it is."""
    results: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `computations`; a result replaces an absent one."""
    counts: list[CountDelta] = field(default_factory=list)
    num_missing_items: dict[str, int] = field(default_factory=dict)
    """By run: how many fewer items it has than were planned."""
    head: tuple[sa.Table, dict[str, Any]] | None = None
    """The row that `counts` and `num_missing_items` go with: where it was there before, they were added before."""

    def add(self, table: sa.Table, **values: Any) -> None:
        """Add one row that is kept once."""
        self.inserts.append((table, values))

    def add_guard(self, table: sa.Table, **values: Any) -> None:
        """Add the row that is counted."""
        self.head = (table, values)


@dataclass(frozen=True)
class _Order:
    rows: Rows
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"


class GroupWriter:
    """The one writer of step results, counts, items and samples of this process."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="group-writer", daemon=True)
        self._statements = {
            table.name: insert_into(engine, table).on_conflict_do_nothing() for table in schema.metadata.sorted_tables
        }
        self._kept_revisions: set[tuple[str, str]] = set()
        self._upsert_result = self._result_statement()
        self._upsert_counts = self._counts_statement()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what waits, then end the thread."""
        self._orders.put(None)
        self._thread.join()

    async def write(self, rows: Rows) -> None:
        """Return once the rows are durable.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: they could not be written; none of them was.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._orders.put(_Order(rows, loop, done))
        await done

    def _result_statement(self) -> Any:
        statement = insert_into(self._engine, schema.computations)
        new = statement.excluded
        changes = {name: new[name] for name in ("request", "result", "create_time", "duration_s")}
        return statement.on_conflict_do_update(
            index_elements=["content_key"], set_=changes, where=schema.computations.c.result.is_(None)
        )

    def _counts_statement(self) -> Any:
        statement = insert_into(self._engine, schema.step_counts)
        table, new = schema.step_counts.c, statement.excluded
        names = [column.name for column in table if not column.primary_key]
        return statement.on_conflict_do_update(
            index_elements=["run_id", "step"], set_={name: table[name] + new[name] for name in names}
        )

    def _work(self) -> None:
        while True:
            orders = self._take()
            if not orders:
                return
            try:
                patiently(partial(self._commit, [order.rows for order in orders]))
            except Exception as error:
                if len(orders) == 1 or is_database_unavailable(error):
                    self._tell(orders, error)
                else:
                    self._commit_each(orders)
            else:
                self._tell(orders, None)

    def _commit_each(self, orders: list[_Order]) -> None:
        """What is wrong with one caller's rows is no other caller's trouble."""
        for order in orders:
            try:
                patiently(partial(self._commit, [order.rows]))
            except Exception as error:
                self._tell([order], error)
            else:
                self._tell([order], None)

    def _take(self) -> list[_Order]:
        """Everything that waits; empty at the end."""
        first = self._orders.get()
        orders = [] if first is None else [first]
        while orders and len(orders) < _MOST_PER_TRANSACTION:
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                break
            if order is None:
                self._orders.put(None)
                break
            orders.append(order)
        return orders

    def _commit(self, group: Sequence[Rows]) -> None:
        with metrics.WRITE_DURATION.time():
            self._commit_merged(group)
        metrics.WRITE_GROUP_SIZE.observe(len(group))

    def _commit_merged(self, group: Sequence[Rows]) -> None:
        merged = _Merged(self._kept_revisions)
        for rows in group:
            merged.add(rows)
        with self._engine.begin() as connection:
            if merged.results:
                connection.execute(self._upsert_result, list(merged.results.values()))
            for table_name in sorted(merged.inserts):
                connection.execute(self._statements[table_name], merged.inserts[table_name])
            for rows in group:
                if self._is_new(connection, rows):
                    merged.count(rows)
            if merged.counts:
                connection.execute(self._upsert_counts, _count_rows(merged.counts))
            for run_id, num_missing in sorted(merged.num_missing_items.items()):
                lowered = schema.runs.c.num_items - num_missing
                connection.execute(sa.update(schema.runs).where(schema.runs.c.id == run_id).values(num_items=lowered))
        self._kept_revisions |= merged.revisions

    def _is_new(self, connection: sa.Connection, rows: Rows) -> bool:
        """Insert the head of some rows; whether it was not there before."""
        if rows.head is None:
            return True
        table, values = rows.head
        statement = self._statements[table.name].execution_options(preserve_rowcount=True)
        return bool(connection.execute(statement, _storable_row(values)).rowcount)

    @staticmethod
    def _tell(orders: list[_Order], error: Exception | None) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Order]] = defaultdict(list)
        for order in orders:
            by_loop[order.loop].append(order)
        for loop, theirs in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, theirs, error)


class _Merged:
    """Rows of many callers as few statements: one for each table."""

    def __init__(self, kept_revisions: set[tuple[str, str]]) -> None:
        self._kept_revisions = kept_revisions
        self.inserts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.results: dict[str, dict[str, Any]] = {}
        self.counts: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.num_missing_items: dict[str, int] = defaultdict(int)
        self.revisions: set[tuple[str, str]] = set()

    def add(self, rows: Rows) -> None:
        """Add one caller's rows."""
        for table, values in rows.inserts:
            if table is not schema.model_revisions or self._is_new(values["name"], values["revision"]):
                self.inserts[table.name].append(_storable_row(values))
        for result in rows.results:
            if result["result"] is not None or result["content_key"] not in self.results:
                self.results[result["content_key"]] = _storable_row(result)

    def count(self, rows: Rows) -> None:
        """Add one caller's counts."""
        for run_id, num_missing in rows.num_missing_items.items():
            self.num_missing_items[run_id] += num_missing
        for delta in rows.counts:
            for name, amount in delta.amounts.items():
                self.counts[delta.run_id, delta.step][name] += amount

    def _is_new(self, name: str, revision: str) -> bool:
        """Whether a model revision comes with this group for the first time; every step brings one."""
        known = (name, revision) in self._kept_revisions or (name, revision) in self.revisions
        self.revisions.add((name, revision))
        return not known


def _storable_row(values: dict[str, Any]) -> dict[str, Any]:
    return {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}


def _count_rows(counts: dict[tuple[str, str], dict[str, float]]) -> list[dict[str, Any]]:
    names = [column.name for column in schema.step_counts.c if not column.primary_key]
    return [
        {"run_id": run_id, "step": step, **{name: amounts.get(name, 0) for name in names}}
        for (run_id, step), amounts in sorted(counts.items())
    ]


def _settle(orders: list[_Order], error: Exception | None) -> None:
    for order in orders:
        if order.done.done():
            continue
        if error is None:
            order.done.set_result(None)
        else:
            order.done.set_exception(error)
