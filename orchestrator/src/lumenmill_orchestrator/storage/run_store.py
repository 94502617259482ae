"""Rows of runs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import NotFoundError
from lumenmill_orchestrator.storage.database import insert_into, num_bytes_of, storable
from lumenmill_orchestrator.storage.pages import page_of
from lumenmill_orchestrator.storage.schema import artifact_uses, items, runs, step_counts

__all__ = ["ENDED_STATES", "UNFINISHED_STATES", "RunRow", "RunStore", "StepTotals"]

ENDED_STATES = frozenset({run_pb2.RUN_STATE_COMPLETED, run_pb2.RUN_STATE_CANCELLED, run_pb2.RUN_STATE_FAILED})
UNFINISHED_STATES = frozenset({run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING, run_pb2.RUN_STATE_PAUSED})


@dataclass(frozen=True)
class RunRow:
    """One run as stored."""

    seq: int
    id: str
    recipe_name: str
    recipe_file: str
    recipe_text: str
    parameters: str
    planned_steps: str
    model_names: str
    content_digest: str
    state: "run_pb2.RunState.ValueType"
    priority: "generation_pb2.JobPriority.ValueType"
    error: str
    num_items: int
    create_time: float
    start_time: float | None
    end_time: float | None
    submitter: str

    @property
    def ended(self) -> bool:
        """Return whether the run has ended; it changes no more."""
        return self.state in ENDED_STATES


@dataclass(frozen=True)
class StepTotals:
    """Counts of one step of a run."""

    num_accepted: int = 0
    num_rejected: int = 0
    num_failed: int = 0
    num_skipped: int = 0
    num_reused: int = 0
    duration_s: float = 0.0

    @property
    def num_ended(self) -> int:
        """Return the number of executions with a verdict."""
        return self.num_accepted + self.num_rejected + self.num_failed + self.num_skipped

    @property
    def num_computed(self) -> int:
        """Return the number of executions that a model computed."""
        return max(self.num_accepted + self.num_rejected + self.num_failed - self.num_reused, 0)


class RunStore:
    """Reads and writes runs. Synchronous: call it from worker threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def insert(self, values: Mapping[str, Any], artifact_sha256s: list[str]) -> bool:
        """Insert a run with the artifacts of its parameters; return False when its id exists already."""
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(runs).values(**values))
                if artifact_sha256s:
                    statement = insert_into(self._engine, artifact_uses).on_conflict_do_nothing()
                    owner = f"run:{values['id']}"
                    connection.execute(
                        statement, [{"sha256": sha256, "owner": owner, "role": "in"} for sha256 in artifact_sha256s]
                    )
        except IntegrityError:
            return False
        return True

    def get(self, run_id: str) -> RunRow:
        """Return one run.

        Raises:
            NotFoundError: no run has this id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().one_or_none()
        if row is None:
            raise NotFoundError(f"no run `{run_id}`")
        return RunRow(**row)

    def page(self, before_seq: int | None, size: int) -> tuple[list[RunRow], bool]:
        """Return runs before a sequence number, the newest first, and whether there are more.

        Fewer than `size` are returned where their recipes and parameters are large.
        """
        size_bytes = num_bytes_of(self._engine, runs.c.parameters) + num_bytes_of(self._engine, runs.c.recipe_text)
        query = sa.select(runs.c.seq, size_bytes).order_by(runs.c.seq.desc()).limit(size + 1)
        if before_seq is not None:
            query = query.where(runs.c.seq < before_seq)
        with self._engine.connect() as connection:
            seqs, has_more = page_of(connection.execute(query).all(), size)
            found = sa.select(runs).where(runs.c.seq.in_(seqs)).order_by(runs.c.seq.desc())
            return [RunRow(**row) for row in connection.execute(found).mappings()], has_more

    def unfinished(self) -> list[RunRow]:
        """Return the runs that have not ended, the oldest first."""
        query = sa.select(runs).where(runs.c.state.in_(UNFINISHED_STATES)).order_by(runs.c.seq)
        with self._engine.connect() as connection:
            return [RunRow(**row) for row in connection.execute(query).mappings()]

    def states(self, run_ids: list[str]) -> dict[str, "run_pb2.RunState.ValueType"]:
        """Return the states of some runs."""
        query = sa.select(runs.c.id, runs.c.state).where(runs.c.id.in_(run_ids))
        with self._engine.connect() as connection:
            return {row.id: row.state for row in connection.execute(query)}

    def change_state(
        self,
        run_id: str,
        to: "run_pb2.RunState.ValueType",
        *,
        only_from: frozenset["run_pb2.RunState.ValueType"],
        error: str = "",
    ) -> bool:
        """Change the state of a run if it is in one of the given states; return whether it was."""
        values: dict[str, Any] = {"state": to}
        now_s = time.time()
        if to in ENDED_STATES:
            values |= {"end_time": now_s, "error": storable(error)}
        elif to == run_pb2.RUN_STATE_RUNNING:
            values["start_time"] = sa.func.coalesce(runs.c.start_time, now_s)
        query = sa.update(runs).where(runs.c.id == run_id, runs.c.state.in_(only_from)).values(**values)
        with self._engine.begin() as connection:
            return bool(connection.execute(query).rowcount)

    def totals(self, run_id: str) -> dict[str, StepTotals]:
        """Return the counts of a run by step; samples and items have names of their own there."""
        query = sa.select(step_counts).where(step_counts.c.run_id == run_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return {row["step"]: StepTotals(**{key: row[key] for key in StepTotals.__dataclass_fields__}) for row in rows}

    def item_error(self, run_id: str) -> str:
        """Return the reason of the item of a run that failed first; empty when none has failed."""
        query = (
            sa.select(items.c.reason)
            .where(items.c.run_id == run_id, items.c.reason != "")
            .order_by(items.c.end_time)
            .limit(1)
        )
        with self._engine.connect() as connection:
            return str(connection.execute(query).scalar() or "")

    def ended_items(self, run_id: str, item_ids: list[str]) -> set[str]:
        """Return those of some items that have ended."""
        query = sa.select(items.c.item_id).where(items.c.run_id == run_id, items.c.item_id.in_(item_ids))
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())
