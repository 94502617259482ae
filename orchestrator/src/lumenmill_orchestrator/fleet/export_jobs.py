"""Exports that run as Jobs: the orchestrator's side. The Job's own is `lumenmill_orchestrator.export_job`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError, UnavailableError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lumenmill_orchestrator.export_job import REQUEST_VARIABLE, error_from_json, export_id
from lumenmill_orchestrator.fleet.api import ApiObject
from lumenmill_orchestrator.fleet.jobs import KubernetesJobs
from lumenmill_orchestrator.storage import ExportJobStore

__all__ = ["ExportJobs"]


class ExportJobs:
    """Writes accepted samples of runs as datasets into the store, each in a Job; see `InProcessExports`."""

    def __init__(self, jobs: KubernetesJobs, rows: ExportJobStore, template_file: Path) -> None:
        self._jobs, self._rows, self._template_file = jobs, rows, template_file

    async def export(self, request: run_pb2.ExportRunRequest) -> AsyncIterator[run_pb2.ExportRunResponse]:
        """Progress, then the result. Who asks for the same while it is being written is told of the same Job; a caller
        who goes away leaves it alone.

        Raises:
            InvalidArgumentError, FailedPreconditionError: as the exporter says.
            JobFailedError: its pods have failed; with what the last one said.
        """
        job_id = export_id(request)
        name = self._jobs.name_of("export", job_id)
        if not await self._jobs.is_running(name):
            await asyncio.to_thread(self._rows.delete, job_id)
        template = await asyncio.to_thread(_template, self._template_file)
        environment = {REQUEST_VARIABLE: MessageToJson(request, indent=None)}
        async for hold_up in self._jobs.run(name, template, environment):
            row = await asyncio.to_thread(self._rows.get, job_id)
            if row is not None and row.progress.stage:
                yield run_pb2.ExportRunResponse(progress=row.progress)
            else:
                stage = f"start: {hold_up}" if hold_up else "start"
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
    """The manifest of the Job.

    Raises:
        InvalidArgumentError: it is none.
    """
    try:
        template = YAML(typ="safe").load(file)
        kind = template["kind"]
    except (OSError, YAMLError, TypeError, KeyError) as error:
        raise InvalidArgumentError("LUMENMILL_EXPORT_JOB_TEMPLATE", f"{file} is no manifest: {error}") from error
    if kind != "Job":
        raise InvalidArgumentError(
            "LUMENMILL_EXPORT_JOB_TEMPLATE", f"{file} is a manifest of a {kind}, must be of a Job"
        )
    return dict(template)
