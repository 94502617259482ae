"""Which forms there are, and the run of one export."""

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
from lumenmill_orchestrator.exporters.media_folders import FOLDERS
from lumenmill_orchestrator.exporters.parquet import PARQUET
from lumenmill_orchestrator.exporters.selection import Selection
from lumenmill_orchestrator.exporters.videox_fun import VIDEOX_FUN
from lumenmill_orchestrator.exporters.webdataset import WEBDATASET
from lumenmill_orchestrator.storage import ExportStore, SampleFilter, SampleStore

__all__ = ["EXPORT_FORMATS", "Export", "InProcessExports"]

EXPORT_FORMATS: Mapping[int, ExportFormat] = {
    run_pb2.EXPORT_FORMAT_PARQUET: PARQUET,
    run_pb2.EXPORT_FORMAT_IMAGEFOLDER: FOLDERS,
    run_pb2.EXPORT_FORMAT_WEBDATASET: WEBDATASET,
    run_pb2.EXPORT_FORMAT_VIDEOX_FUN: VIDEOX_FUN,
    run_pb2.EXPORT_FORMAT_DIFFSYNTH: DIFFSYNTH,
}
_TELL_EVERY_S = 0.5
_NUM_EXPORTS_AT_ONCE = 2
_NUM_REFUSALS_NAMED = 5


class InProcessExports:
    """Writes accepted samples of runs as datasets into the store."""

    def __init__(self, samples: SampleStore, store: ArtifactStore, exports: ExportStore) -> None:
        self._samples, self._store, self._exports = samples, store, exports
        # An export takes long; the walk must not wait for the threads of asyncio's own pool meanwhile.
        self._threads = ThreadPoolExecutor(_NUM_EXPORTS_AT_ONCE, thread_name_prefix="export")

    def prepared(self, request: run_pb2.ExportRunRequest) -> "Export":
        """An export that is ready to be run.

        Raises:
            InvalidArgumentError: there is no such form.
        """
        form = EXPORT_FORMATS.get(request.format)
        if form is None:
            raise InvalidArgumentError("format", "this form has no exporter here")
        return Export(self._samples, self._store, self._exports, form, request)

    async def export(self, request: run_pb2.ExportRunRequest) -> AsyncIterator[run_pb2.ExportRunResponse]:
        """Progress, then the result.

        Raises:
            InvalidArgumentError: there is no such form, or the dataset has more files than a message can tell.
            FailedPreconditionError: terms of use leave no sample.
        """
        work = self.prepared(request)
        writing = asyncio.get_running_loop().run_in_executor(self._threads, work.run)
        try:
            while not writing.done():
                await asyncio.wait({writing}, timeout=_TELL_EVERY_S)
                yield run_pb2.ExportRunResponse(progress=work.progress())
            result = await writing
        finally:
            work.abandoned.set()
        yield run_pb2.ExportRunResponse(result=result)


class Export:
    """One export. It blocks: run it in a worker thread, or in a process of its own."""

    def __init__(
        self,
        samples: SampleStore,
        store: ArtifactStore,
        exports: ExportStore,
        form: ExportFormat,
        request: run_pb2.ExportRunRequest,
    ) -> None:
        self._samples, self._store, self._exports = samples, store, exports
        self._form, self._request = form, request
        self._filters = [
            SampleFilter(run_id=run_id, verdicts=[run_pb2.VERDICT_ACCEPTED])
            for run_id in dict.fromkeys([request.run_id, *request.more_run_ids])
        ]
        self.num_read = self.num_to_read = 0
        self.abandoned = threading.Event()

    def progress(self) -> generation_pb2.Progress:
        """Samples written so far."""
        return generation_pb2.Progress(stage="write", step=self.num_read, total=self.num_to_read)

    def run(self) -> run_pb2.ExportResult:
        """Write the files, put them in the store and keep the export.

        Raises:
            InvalidArgumentError: the dataset has more files than a message can tell.
            FailedPreconditionError: terms of use leave no sample.
            CancelledError: nobody wants it any more.
        """
        self.num_to_read = sum(map(self._samples.count, self._filters))
        with tempfile.TemporaryDirectory(prefix="lumenmill-export-") as folder:
            to = StoreDestination(Path(folder), self._store, self._exports, embed_media=self._request.embed_media)
            seen = DiskMap(Path(folder) / "seen")
            selection = Selection(self._request, self._form.suits, seen)
            self._form.export(selection.of(self._each()), to)
            seen.close()
            result = selection.result(to.files)
        _check(result)
        self._exports.save(self._request, result)
        return result

    def _each(self) -> Iterator[run_pb2.Sample]:
        """All accepted samples, run by run in the order in which they were made, so that more of them come last."""
        for wanted in self._filters:
            for stored in self._samples.each(wanted):
                if self.abandoned.is_set():
                    raise CancelledError("the caller of the export went away")
                self.num_read += 1
                yield stored.sample


def _check(result: run_pb2.ExportResult) -> None:
    if result.num_excluded_by_licence and not result.num_samples:
        named = [
            f"{refusal.licence.subject} ({refusal.licence.spdx_id or 'no licence named'}) {refusal.reason}, "
            f"{refusal.num_samples} samples"
            for refusal in result.licence_exclusions[:_NUM_REFUSALS_NAMED]
        ]
        raise FailedPreconditionError(
            f"no sample may be used commercially: {'; '.join(named)}", field="for_commercial_use"
        )
    if result.ByteSize() > MAX_MESSAGE_BYTES * 0.9:
        raise InvalidArgumentError(
            "format", f"the dataset has {len(result.files)} files, too many to list; choose Parquet or WebDataset"
        )
