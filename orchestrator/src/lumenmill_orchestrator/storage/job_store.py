"""Rows in which jobs that run in pods of their own tell how far they are, and what came out."""

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from lumenmill.common.v1 import generation_pb2

from lumenmill_orchestrator.storage.database import insert_into
from lumenmill_orchestrator.storage.schema import pod_jobs

__all__ = ["JobRow", "JobStore"]


@dataclass(frozen=True)
class JobRow:
    """What a job told last."""

    progress: generation_pb2.Progress
    result: bytes | None
    error: str | None
    """JSON; the one who reads it knows its form."""


class JobStore:
    """Reads and writes what jobs tell. Synchronous: call it from worker threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, job_id: str) -> JobRow | None:
        """What a job told last; None while it has told nothing."""
        query = sa.select(pod_jobs.c.progress, pod_jobs.c.result, pod_jobs.c.error).where(pod_jobs.c.id == job_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else JobRow(generation_pb2.Progress.FromString(row.progress), row.result, row.error)

    def tell(self, job_id: str, progress: generation_pb2.Progress) -> None:
        """How far a job is."""
        self._write(job_id, progress=progress.SerializeToString())

    def succeed(self, job_id: str, result: bytes) -> None:
        """A job has its result."""
        self._write(job_id, result=result)

    def refuse(self, job_id: str, error: str) -> None:
        """A job will never have one, however often it is tried."""
        self._write(job_id, error=error)

    def forget(self, job_id: str) -> None:
        """Whatever was told before is not about the job that comes."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(pod_jobs).where(pod_jobs.c.id == job_id))

    def _write(self, job_id: str, **values: Any) -> None:
        row = {"id": job_id, "progress": b"", "time": time.time(), **values}
        statement = insert_into(self._engine, pod_jobs).on_conflict_do_update(
            index_elements=["id"], set_={**values, "time": row["time"]}
        )
        with self._engine.begin() as connection:
            connection.execute(statement, [row])
