"""Which exporters there are, and the run of one of them."""

import asyncio
import hashlib
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import CancelledError, InvalidArgumentError

from lumenmill_orchestrator.exporters.parquet import export_parquet
from lumenmill_orchestrator.exporters.seam import Exporter
from lumenmill_orchestrator.storage import SampleFilter, SampleStore, insert_into
from lumenmill_orchestrator.storage.schema import artifact_uses, exports

__all__ = ["EXPORTERS", "Exporters"]

EXPORTERS: Mapping[int, Exporter] = {run_pb2.EXPORT_FORMAT_PARQUET: export_parquet}
_TELL_EVERY_S = 0.5
_NUM_EXPORTS_AT_ONCE = 2


class Exporters:
    """Writes accepted samples of runs as datasets into the store."""

    def __init__(self, samples: SampleStore, store: ArtifactStore, engine: sa.Engine) -> None:
        self._samples, self._store, self._engine = samples, store, engine
        # An export takes long; the walk must not wait for the threads of asyncio's own pool meanwhile.
        self._threads = ThreadPoolExecutor(_NUM_EXPORTS_AT_ONCE, thread_name_prefix="export")

    async def export(
        self, run_id: str, format_: "run_pb2.ExportFormat.ValueType", *, embed_media: bool
    ) -> AsyncIterator[run_pb2.ExportRunResponse]:
        """Progress, then the result."""
        exporter = EXPORTERS.get(format_)
        if exporter is None:
            raise InvalidArgumentError("format", "this form has no exporter here")
        work = _Export(self._samples, self._store, exporter, run_id, embed_media)
        writing = asyncio.get_running_loop().run_in_executor(self._threads, work.run)
        try:
            while not writing.done():
                await asyncio.wait({writing}, timeout=_TELL_EVERY_S)
                progress = generation_pb2.Progress(stage="write", step=work.num_written)
                yield run_pb2.ExportRunResponse(progress=progress)
            result = await writing
        finally:
            work.abandoned.set()
        await asyncio.to_thread(self._keep, run_id, format_, embed_media, result)
        yield run_pb2.ExportRunResponse(result=result)

    def _keep(
        self,
        run_id: str,
        format_: "run_pb2.ExportFormat.ValueType",
        embed_media: bool,
        result: run_pb2.ExportResult,
    ) -> None:
        files = result.SerializeToString(deterministic=True)
        export_id = hashlib.sha256(f"{run_id}/{format_}/{embed_media}/".encode() + files).hexdigest()[:32]
        row = {
            "id": export_id,
            "run_id": run_id,
            "format": format_,
            "embed_media": embed_media,
            "num_samples": result.num_samples,
            "create_time": time.time(),
            "files": files,
        }
        uses = [
            {"sha256": file.artifact.sha256, "owner": f"export:{export_id}", "role": "out"} for file in result.files
        ]
        with self._engine.begin() as connection:
            connection.execute(insert_into(self._engine, exports).on_conflict_do_nothing(), [row])
            if uses:
                connection.execute(insert_into(self._engine, artifact_uses).on_conflict_do_nothing(), uses)


class _Export:
    """One export, in a worker thread."""

    def __init__(
        self,
        samples: SampleStore,
        store: ArtifactStore,
        exporter: Exporter,
        run_id: str,
        embed_media: bool,
    ) -> None:
        self._samples, self._store, self._exporter = samples, store, exporter
        self._run_id, self._embed_media = run_id, embed_media
        self.num_written = 0
        self.abandoned = threading.Event()

    def run(self) -> run_pb2.ExportResult:
        """Write the files and put them in the store."""
        wanted = SampleFilter(run_id=self._run_id, verdicts=[run_pb2.VERDICT_ACCEPTED])
        samples = (stored.sample for stored in self._samples.each(wanted))
        with tempfile.TemporaryDirectory(prefix="lumenmill-export-") as folder:
            files = self._exporter(
                samples, Path(folder), self._store, embed_media=self._embed_media, on_sample=self._tell
            )
            exported = [
                run_pb2.ExportedFile(path=file.path, artifact=self._store.put_file(file.local, file.media_type))
                for file in files
            ]
        return run_pb2.ExportResult(files=exported, num_samples=self.num_written)

    def _tell(self, num_written: int) -> None:
        if self.abandoned.is_set():
            raise CancelledError("the caller of the export went away")
        self.num_written = num_written
