"""Group commit: one transaction makes the rows of many steps durable.

Callers enqueue rows and wait until they are committed. One thread commits all rows that are queued together, so that a
step costs a fraction of a transaction.
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
from lumenmill_orchestrator.storage.database import insert_into, is_database_unavailable, retry_database, storable

__all__ = ["CountDelta", "GroupWriter", "Rows"]

_MAX_ENTRIES_PER_TRANSACTION = 512


@dataclass(frozen=True)
class CountDelta:
    """Amounts to add to the counts of one step of a run."""

    run_id: str
    step: str
    amounts: dict[str, float]


@dataclass
class Rows:
    """Rows of one caller, committed all or none."""

    inserts: list[tuple[sa.Table, dict[str, Any]]] = field(default_factory=list)
    """Rows to insert unless a row with the same key exists."""
    results: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `computations`; a result replaces an absent one."""
    counts: list[CountDelta] = field(default_factory=list)
    num_missing_items: dict[str, int] = field(default_factory=dict)
    """By run: how many fewer items it has than were planned."""
    guard: tuple[sa.Table, dict[str, Any]] | None = None
    """A row that makes counting idempotent: where it exists, `counts` and `num_missing_items` were added before."""

    def add(self, table: sa.Table, **values: Any) -> None:
        """Add a row to insert unless its key exists."""
        self.inserts.append((table, values))

    def add_guard(self, table: sa.Table, **values: Any) -> None:
        """Set the row that makes counting idempotent."""
        self.guard = (table, values)


@dataclass(frozen=True)
class _Entry:
    rows: Rows
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"


class GroupWriter:
    """Writes the step results, counts, items and samples of this process, in one thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._commit_queued, name="group-writer", daemon=True)
        self._statements = {
            table.name: insert_into(engine, table).on_conflict_do_nothing() for table in schema.metadata.sorted_tables
        }
        self._saved_revisions: set[tuple[str, str]] = set()
        self._upsert_result = self._result_statement()
        self._upsert_counts = self._counts_statement()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what is queued, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    async def write(self, rows: Rows) -> None:
        """Return once the rows are durable.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: they could not be written; none of them was.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.put(_Entry(rows, loop, done))
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

    def _commit_queued(self) -> None:
        while True:
            entries = self._take()
            if not entries:
                return
            try:
                retry_database(partial(self._commit, [entry.rows for entry in entries]))
            except Exception as error:
                if len(entries) == 1 or is_database_unavailable(error):
                    self._notify(entries, error)
                else:
                    self._commit_each(entries)
            else:
                self._notify(entries, None)

    def _commit_each(self, entries: list[_Entry]) -> None:
        """Commit each caller's rows alone, so that bad rows of one fail no other."""
        for entry in entries:
            try:
                retry_database(partial(self._commit, [entry.rows]))
            except Exception as error:
                self._notify([entry], error)
            else:
                self._notify([entry], None)

    def _take(self) -> list[_Entry]:
        """Return all queued entries; empty when the writer is stopped."""
        first = self._queue.get()
        entries = [] if first is None else [first]
        while entries and len(entries) < _MAX_ENTRIES_PER_TRANSACTION:
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                self._queue.put(None)
                break
            entries.append(entry)
        return entries

    def _commit(self, group: Sequence[Rows]) -> None:
        with metrics.WRITE_DURATION.time():
            self._commit_merged(group)
        metrics.WRITE_GROUP_SIZE.observe(len(group))

    def _commit_merged(self, group: Sequence[Rows]) -> None:
        merged = _Merged(self._saved_revisions)
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
        self._saved_revisions |= merged.revisions

    def _is_new(self, connection: sa.Connection, rows: Rows) -> bool:
        """Insert the guard of some rows; return whether it is new."""
        if rows.guard is None:
            return True
        table, values = rows.guard
        statement = self._statements[table.name].execution_options(preserve_rowcount=True)
        return bool(connection.execute(statement, _storable_row(values)).rowcount)

    @staticmethod
    def _notify(entries: list[_Entry], error: Exception | None) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Entry]] = defaultdict(list)
        for entry in entries:
            by_loop[entry.loop].append(entry)
        for loop, of_loop in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_complete, of_loop, error)


class _Merged:
    """Rows of many callers, merged into one statement for each table."""

    def __init__(self, saved_revisions: set[tuple[str, str]]) -> None:
        self._saved_revisions = saved_revisions
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
        """Return whether a model revision is new to the table; every step adds one."""
        known = (name, revision) in self._saved_revisions or (name, revision) in self.revisions
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


def _complete(entries: list[_Entry], error: Exception | None) -> None:
    for entry in entries:
        if entry.done.done():
            continue
        if error is None:
            entry.done.set_result(None)
        else:
            entry.done.set_exception(error)
