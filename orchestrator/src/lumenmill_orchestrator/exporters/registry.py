"""The export formats, and the execution of one export."""

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import CancelledError, FailedPreconditionError, InvalidArgumentError
from lumenmill_common.serve import MAX_MESSAGE_BYTES
from lumenmill_orchestrator.exporters.destination import StoreDestination
from lumenmill_orchestrator.exporters.diffsynth import DIFFSYNTH
from lumenmill_orchestrator.exporters.disk_map import DiskMap
from lumenmill_orchestrator.exporters.interfaces import ExportFormat
from lumenmill_orchestrator.exporters.media_folders import MEDIA_FOLDERS
from lumenmill_orchestrator.exporters.parquet import PARQUET
from lumenmill_orchestrator.exporters.selection import Selection
from lumenmill_orchestrator.exporters.videox_fun import VIDEOX_FUN
from lumenmill_orchestrator.exporters.webdataset import WEBDATASET
from lumenmill_orchestrator.storage import ExportStore, SampleFilter, SampleStore

__all__ = ["EXPORT_FORMATS", "Export", "InProcessExports"]

EXPORT_FORMATS: Mapping[int, ExportFormat] = {
    run_pb2.EXPORT_FORMAT_PARQUET: PARQUET,
    run_pb2.EXPORT_FORMAT_IMAGEFOLDER: MEDIA_FOLDERS,
    run_pb2.EXPORT_FORMAT_WEBDATASET: WEBDATASET,
    run_pb2.EXPORT_FORMAT_VIDEOX_FUN: VIDEOX_FUN,
    run_pb2.EXPORT_FORMAT_DIFFSYNTH: DIFFSYNTH,
}
_REPORT_EVERY_S = 0.5
_MAX_CONCURRENT_EXPORTS = 2
_NUM_EXCLUSIONS_NAMED = 5


class InProcessExports:
    """Writes accepted samples of runs as datasets into the store, in threads of this process."""

    def __init__(self, samples: SampleStore, store: ArtifactStore, exports: ExportStore) -> None:
        self._samples, self._store, self._exports = samples, store, exports
        # Exports are slow; they must not occupy the threads of asyncio's default pool, which runs depend on.
        self._threads = ThreadPoolExecutor(_MAX_CONCURRENT_EXPORTS, thread_name_prefix="export")

    def prepare(self, request: run_pb2.ExportRunRequest) -> "Export":
        """Return an export that is ready to be run.

        Raises:
            InvalidArgumentError: the export format is unknown, or has nothing for spreadsheets.
        """
        export_format = EXPORT_FORMATS.get(request.format)
        if export_format is None:
            raise InvalidArgumentError("format", "this server does not support the export format")
        if request.for_spreadsheets and not export_format.has_csv_files:
            raise InvalidArgumentError(
                "for_spreadsheets", "is for formats with CSV files, which spreadsheets open; choose DiffSynth"
            )
        return Export(self._samples, self._store, self._exports, export_format, request)

    async def export(self, request: run_pb2.ExportRunRequest) -> AsyncIterator[run_pb2.ExportRunResponse]:
        """Yield progress, then the result.

        Raises:
            InvalidArgumentError: the export format is unknown, or the dataset has too many files to list.
            FailedPreconditionError: licences exclude every sample.
        """
        export = self.prepare(request)
        writing = asyncio.get_running_loop().run_in_executor(self._threads, export.run)
        try:
            while not writing.done():
                await asyncio.wait({writing}, timeout=_REPORT_EVERY_S)
                yield run_pb2.ExportRunResponse(progress=export.progress())
            result = await writing
        finally:
            export.cancelled.set()
        yield run_pb2.ExportRunResponse(result=result)


class Export:
    """One export. It blocks: run it in a worker thread or in a process of its own."""

    def __init__(
        self,
        samples: SampleStore,
        store: ArtifactStore,
        exports: ExportStore,
        export_format: ExportFormat,
        request: run_pb2.ExportRunRequest,
    ) -> None:
        self._samples, self._store, self._exports = samples, store, exports
        self._format, self._request = export_format, request
        self._filters = [
            SampleFilter(run_id=run_id, verdicts=[run_pb2.VERDICT_ACCEPTED])
            for run_id in dict.fromkeys([request.run_id, *request.more_run_ids])
        ]
        self.num_read = self.num_to_read = 0
        self.cancelled = threading.Event()

    def progress(self) -> generation_pb2.Progress:
        """Return the number of samples read so far."""
        return generation_pb2.Progress(stage="write", step=self.num_read, total=self.num_to_read)

    def run(self) -> run_pb2.ExportResult:
        """Write the files into the store and save the export.

        Raises:
            InvalidArgumentError: the dataset has too many files to list in a message.
            FailedPreconditionError: licences exclude every sample, or what a sample holds cannot name files.
            CancelledError: the caller has cancelled it.
        """
        self.num_to_read = sum(map(self._samples.count, self._filters))
        with tempfile.TemporaryDirectory(prefix="lumenmill-export-") as folder:
            to = StoreDestination(
                Path(folder),
                self._store,
                self._exports,
                embed_media=self._request.embed_media,
                for_spreadsheets=self._request.for_spreadsheets,
            )
            seen = DiskMap(Path(folder) / "seen")
            selection = Selection(self._request, self._format.accepts, seen)
            self._format.write(selection.of(self._samples_of_runs()), to)
            seen.close()
            result = selection.result(to.files)
        _check_result(result)
        self._exports.save(self._request, result)
        return result

    def _samples_of_runs(self) -> Iterator[run_pb2.Sample]:
        """Yield all accepted samples run by run, in the order in which they were made, so that new ones come last."""
        for selected in self._filters:
            for stored in self._samples.each(selected):
                if self.cancelled.is_set():
                    raise CancelledError("the caller has cancelled the export")
                self.num_read += 1
                yield stored.sample


def _check_result(result: run_pb2.ExportResult) -> None:
    if result.num_excluded_by_licence and not result.num_samples:
        named = [
            f"{exclusion.licence.subject} ({exclusion.licence.spdx_id or 'no licence named'}) {exclusion.reason}, "
            f"{exclusion.num_samples} samples"
            for exclusion in result.licence_exclusions[:_NUM_EXCLUSIONS_NAMED]
        ]
        raise FailedPreconditionError(
            f"no sample may be used commercially: {'; '.join(named)}", field="for_commercial_use"
        )
    if result.ByteSize() > MAX_MESSAGE_BYTES * 0.9:
        raise InvalidArgumentError(
            "format", f"the dataset has {len(result.files)} files, too many to list; choose Parquet or WebDataset"
        )
