"""Exports that run as Jobs: the side of the orchestrator. The Job runs `lumenmill_orchestrator.export_job`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError, UnavailableError
from lumenmill_orchestrator.export_job import REQUEST_VARIABLE, error_from_json, export_id
from lumenmill_orchestrator.fleet.api import ApiObject
from lumenmill_orchestrator.fleet.kubernetes_jobs import KubernetesJobs
from lumenmill_orchestrator.storage import ExportJobStore

__all__ = ["ExportJobs"]


class ExportJobs:
    """Writes the accepted samples of runs as datasets into the store, each in a Job; see `InProcessExports`."""

    def __init__(self, jobs: KubernetesJobs, rows: ExportJobStore, template_file: Path) -> None:
        self._jobs, self._rows, self._template_file = jobs, rows, template_file

    async def export(self, request: run_pb2.ExportRunRequest) -> AsyncIterator[run_pb2.ExportRunResponse]:
        """Yield the progress, then the result.

        Equal requests follow the same Job; a caller that goes away leaves it running.

        Raises:
            InvalidArgumentError, FailedPreconditionError: as the exporter reports.
            JobFailedError: its pods have failed; with the message of the last one.
        """
        job_id = export_id(request)
        name = self._jobs.name_of("export", job_id)
        if not await self._jobs.is_running(name):
            await asyncio.to_thread(self._rows.delete, job_id)
        template = await asyncio.to_thread(_template, self._template_file)
        environment = {REQUEST_VARIABLE: MessageToJson(request, indent=None)}
        async for problem in self._jobs.run(name, template, environment):
            row = await asyncio.to_thread(self._rows.get, job_id)
            if row is not None and row.progress.stage:
                yield run_pb2.ExportRunResponse(progress=row.progress)
            else:
                stage = f"start: {problem}" if problem else "start"
                yield run_pb2.ExportRunResponse(progress=generation_pb2.Progress(stage=stage))
        yield run_pb2.ExportRunResponse(result=await self._result(job_id))

    async def _result(self, job_id: str) -> run_pb2.ExportResult:
        row = await asyncio.to_thread(self._rows.get, job_id)
        if row is not None and row.error is not None:
            raise error_from_json(row.error)
        if row is None or row.result is None:
            raise UnavailableError("the Job of the export has ended without a result; ask again")
        return run_pb2.ExportResult.FromString(row.result)


def _template(file: Path) -> ApiObject:
    """Return the manifest of the Job.

    Raises:
        InvalidArgumentError: the file is not one.
    """
    try:
        template = YAML(typ="safe").load(file)
        kind = template["kind"]
    except (OSError, YAMLError, TypeError, KeyError) as error:
        raise InvalidArgumentError("LUMENMILL_EXPORT_JOB_TEMPLATE", f"{file} is not a manifest: {error}") from error
    if kind != "Job":
        raise InvalidArgumentError(
            "LUMENMILL_EXPORT_JOB_TEMPLATE", f"{file} is a manifest of a {kind}, must be of a Job"
        )
    return dict(template)
