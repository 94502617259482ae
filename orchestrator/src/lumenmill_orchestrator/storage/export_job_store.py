"""Rows of exports that run as Kubernetes Jobs: their progress and their outcome."""

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lumenmill.common.v1 import generation_pb2
from lumenmill_orchestrator.storage.database import insert_into
from lumenmill_orchestrator.storage.schema import export_jobs

__all__ = ["ExportJobRow", "ExportJobStore"]


@dataclass(frozen=True)
class ExportJobRow:
    """State of one export job as stored."""

    progress: generation_pb2.Progress
    result: bytes | None
    error: str | None
    """JSON, as `export_job` writes it."""


class ExportJobStore:
    """Reads and writes the state of export jobs. Synchronous: call it from worker threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, job_id: str) -> ExportJobRow | None:
        """Return the state of a job; None when it has reported nothing yet."""
        query = sa.select(export_jobs.c.progress, export_jobs.c.result, export_jobs.c.error).where(
            export_jobs.c.id == job_id
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return (
            None
            if row is None
            else ExportJobRow(generation_pb2.Progress.FromString(row.progress), row.result, row.error)
        )

    def report_progress(self, job_id: str, progress: generation_pb2.Progress) -> None:
        """Store the progress of a job."""
        self._write(job_id, progress=progress.SerializeToString())

    def record_result(self, job_id: str, result: bytes) -> None:
        """Store the result of a job."""
        self._write(job_id, result=result)

    def record_error(self, job_id: str, error: str) -> None:
        """Store a permanent error of a job: another attempt would fail alike."""
        self._write(job_id, error=error)

    def delete(self, job_id: str) -> None:
        """Delete the state of an earlier job with the same id."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(export_jobs).where(export_jobs.c.id == job_id))

    def _write(self, job_id: str, **values: Any) -> None:
        row = {"id": job_id, "progress": b"", "update_time": time.time(), **values}
        statement = insert_into(self._engine, export_jobs).on_conflict_do_update(
            index_elements=["id"], set_={**values, "update_time": row["update_time"]}
        )
        with self._engine.begin() as connection:
            connection.execute(statement, [row])
