"""Rows in which replicas of the orchestrator publish the work that their models have."""

import time
from dataclasses import dataclass

import sqlalchemy as sa

from lumenmill_orchestrator.storage.database import insert_into
from lumenmill_orchestrator.storage.schema import replica_loads

__all__ = ["LoadRow", "LoadStore"]


@dataclass(frozen=True)
class LoadRow:
    """The loads that one replica published last."""

    executor_id: str
    loads: str
    """JSON: loads by model."""
    time_s: float


class LoadStore:
    """Reads and writes loads. Synchronous: call it from worker threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def write(self, executor_id: str, loads: str) -> None:
        """Replace the loads of a replica."""
        statement = insert_into(self._engine, replica_loads)
        new = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=["executor_id"], set_={"loads": new.loads, "update_time": new.update_time}
        )
        with self._engine.begin() as connection:
            connection.execute(statement, [{"executor_id": executor_id, "loads": loads, "update_time": time.time()}])

    def read(self) -> list[LoadRow]:
        """Return the loads of all replicas."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(replica_loads)).mappings()
            return [LoadRow(row["executor_id"], row["loads"], row["update_time"]) for row in rows]
