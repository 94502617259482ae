"""Rows of executions and of the computations that they share."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

import sqlalchemy as sa

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.storage.database import query
from lumenmill_orchestrator.storage.schema import computations, executions, model_revisions

__all__ = ["ComputationRow", "ExecutionRow", "ExecutionStore", "ResultReader"]

_NUM_MEASURED = 101


@dataclass(frozen=True)
class ExecutionRow:
    """One execution of one step as stored."""

    run_id: str
    item_id: str
    step: str
    instance: int
    content_key: str
    verdict: "run_pb2.Verdict.ValueType"
    reason: str
    reused: bool
    parents: str
    start_time: float
    duration_s: float
    num_attempts: int


@dataclass(frozen=True)
class ComputationRow:
    """One computation as stored; `result` is None while it has only failed."""

    content_key: str
    call: str
    model: str
    revision: str
    request: bytes
    result: bytes | None
    create_time: float
    duration_s: float


class ExecutionStore:
    """Reads executions and computations. Synchronous: call it from worker threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def of_item(self, run_id: str, item_id: str) -> list[ExecutionRow]:
        """Return all ended executions of one item, earliest first."""
        query = (
            sa.select(executions)
            .where(executions.c.run_id == run_id, executions.c.item_id == item_id)
            .order_by(executions.c.start_time)
        )
        with self._engine.connect() as connection:
            return [ExecutionRow(**row) for row in connection.execute(query).mappings()]

    def one(self, run_id: str, item_id: str, step: str, instance: int) -> ExecutionRow | None:
        """Return one ended execution, or None."""
        query = sa.select(executions).where(
            executions.c.run_id == run_id,
            executions.c.item_id == item_id,
            executions.c.step == step,
            executions.c.instance == instance,
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else ExecutionRow(**row)

    def first_failure(self, run_id: str) -> str:
        """Return the reason of the execution of a run that failed first; empty when none has failed."""
        query = (
            sa.select(executions.c.reason)
            .where(executions.c.run_id == run_id, executions.c.verdict == run_pb2.VERDICT_FAILED)
            .order_by(executions.c.start_time)
            .limit(1)
        )
        with self._engine.connect() as connection:
            return str(connection.execute(query).scalar() or "")

    def computations(self, content_keys: Iterable[str]) -> dict[str, ComputationRow]:
        """Return computations by content key."""
        query = sa.select(computations).where(computations.c.content_key.in_(list(content_keys)))
        with self._engine.connect() as connection:
            return {row["content_key"]: ComputationRow(**row) for row in connection.execute(query).mappings()}

    def results(self, content_keys: Iterable[str]) -> dict[str, bytes]:
        """Return the results that exist, by content key."""
        query = sa.select(computations.c.content_key, computations.c.result).where(
            computations.c.content_key.in_(list(content_keys)), computations.c.result.is_not(None)
        )
        with self._engine.connect() as connection:
            return {row.content_key: bytes(row.result) for row in connection.execute(query)}

    def median_duration_s(self, call: str, model: str) -> float | None:
        """Return the median seconds of the latest computations of a call by a model; None when there are none."""
        query = (
            sa.select(computations.c.duration_s)
            .where(computations.c.call == call, computations.c.model == model, computations.c.result.is_not(None))
            .order_by(computations.c.create_time.desc())
            .limit(_NUM_MEASURED)
        )
        with self._engine.connect() as connection:
            durations_s = list(connection.execute(query).scalars())
        return median(durations_s) if durations_s else None

    def model(self, name: str, revision: str) -> bytes | None:
        """Return the stored Model message of a revision, or None."""
        query = sa.select(model_revisions.c.model).where(
            model_revisions.c.name == name, model_revisions.c.revision == revision
        )
        with self._engine.connect() as connection:
            found: Any = connection.execute(query).scalar_one_or_none()
        return None if found is None else bytes(found)


class ResultReader:
    """Looks up content keys in groups: all that arrive while a query runs are answered by the next one."""

    def __init__(self, store: ExecutionStore) -> None:
        self._store = store
        self._waiting: dict[str, asyncio.Future[bytes | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, content_key: str) -> bytes | None:
        """Return the result of a computation, or None when there is none."""
        waiting = self._waiting.get(content_key)
        if waiting is None:
            waiting = self._waiting[content_key] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._read())
        return await asyncio.shield(waiting)

    async def _read(self) -> None:
        try:
            while self._waiting:
                requested, self._waiting = self._waiting, {}
                await self._answer(requested)
        finally:
            self._task = None

    async def _answer(self, requested: "dict[str, asyncio.Future[bytes | None]]") -> None:
        try:
            found = await query(self._store.results, requested)
        except Exception as error:
            for waiting in requested.values():
                waiting.set_exception(error)
            return
        for content_key, waiting in requested.items():
            waiting.set_result(found.get(content_key))
