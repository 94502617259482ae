"""Rows of exports, and of dataset files that later exports can reuse."""

import hashlib
import time

import sqlalchemy as sa

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.storage.database import insert_into
from lumenmill_orchestrator.storage.schema import artifact_uses, export_files, exports

__all__ = ["ExportStore"]

_USES_PER_STATEMENT = 1000


class ExportStore:
    """Reads and writes exports. Synchronous: call it from worker threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def file(self, content_key: str) -> artifact_pb2.Artifact | None:
        """Return the file that was written for a content key, or None; the store may have lost it since."""
        query = sa.select(export_files.c.artifact).where(export_files.c.content_key == content_key)
        with self._engine.connect() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else artifact_pb2.Artifact.FromString(found)

    def save_file(self, content_key: str, artifact: artifact_pb2.Artifact) -> None:
        """Save the file that was written for a content key."""
        statement = insert_into(self._engine, export_files)
        statement = statement.on_conflict_do_update(
            index_elements=["content_key"], set_={"artifact": statement.excluded.artifact}
        )
        row = {
            "content_key": content_key,
            "artifact": artifact.SerializeToString(deterministic=True),
            "create_time": time.time(),
        }
        with self._engine.begin() as connection:
            connection.execute(statement, [row])

    def save(self, request: run_pb2.ExportRunRequest, result: run_pb2.ExportResult) -> None:
        """Save an export, so that garbage collection leaves its files alone. Saving it again changes nothing."""
        request_bytes, result_bytes = (message.SerializeToString(deterministic=True) for message in (request, result))
        export_id = hashlib.sha256(request_bytes + result_bytes).hexdigest()[:32]
        row = {
            "id": export_id,
            "run_id": request.run_id,
            "format": request.format,
            "embed_media": request.embed_media,
            "num_samples": result.num_samples,
            "create_time": time.time(),
            "result": result_bytes,
            "request": request_bytes,
        }
        sha256s = list(dict.fromkeys(file.artifact.sha256 for file in result.files))
        uses = [{"sha256": sha256, "owner": f"export:{export_id}", "role": "out"} for sha256 in sha256s]
        insert_use = insert_into(self._engine, artifact_uses).on_conflict_do_nothing()
        with self._engine.begin() as connection:
            connection.execute(insert_into(self._engine, exports).on_conflict_do_nothing(), [row])
            for first in range(0, len(uses), _USES_PER_STATEMENT):
                connection.execute(insert_use, uses[first : first + _USES_PER_STATEMENT])
