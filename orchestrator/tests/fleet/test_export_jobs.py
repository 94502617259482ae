"""An export in a Job writes the same files as one in the orchestrator."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_orchestrator.export_job import REQUEST_VARIABLE, error_from_json, export_id
from lumenmill_orchestrator.storage import ExportJobRow, ExportJobStore, engine_url, make_engine

from ..conftest import LocalMesh, open_mesh
from ..recipes import ONE_IMAGE


def _run_job(mesh: LocalMesh, request: run_pb2.ExportRunRequest) -> "subprocess.CompletedProcess[str]":
    """As the container of the Job does."""
    environment = {
        **os.environ,
        REQUEST_VARIABLE: MessageToJson(request, indent=None),
        "LUMENMILL_DATABASE_URL": mesh.settings.database_url,
        "LUMENMILL_STORE_URL": mesh.settings.store_url,
    }
    command = [sys.executable, "-m", "lumenmill_orchestrator.export_job"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def _row(mesh: LocalMesh, request: run_pb2.ExportRunRequest) -> ExportJobRow:
    engine = make_engine(engine_url(mesh.settings.database_url))
    row = ExportJobStore(engine).get(export_id(request))
    engine.dispose()
    assert row is not None
    return row


async def test_a_job_writes_the_same_dataset(mesh: LocalMesh) -> None:
    run = await mesh.run(ONE_IMAGE, {"tags": ["a", "b", "c"]})
    request = run_pb2.ExportRunRequest(run_id=run.id, format=run_pb2.EXPORT_FORMAT_PARQUET, embed_media=True)
    done = await asyncio.to_thread(_run_job, mesh, request)
    assert done.returncode == 0, done.stderr
    made = run_pb2.ExportResult.FromString(_row(mesh, request).result or b"")
    responses = [response async for response in mesh.runs.ExportRun(request)]
    here = responses[-1].result
    assert made.num_samples == here.num_samples == 3
    assert [(file.path, file.artifact.sha256) for file in made.files] == [
        (file.path, file.artifact.sha256) for file in here.files
    ]
    assert all(file.reused for file in here.files), "one exporter: the second export finds the files of the first"


async def test_a_wrong_request_is_reported_once_and_not_retried(mesh: LocalMesh) -> None:
    run = await mesh.run(ONE_IMAGE, {"tags": ["a"]})
    request = run_pb2.ExportRunRequest(run_id=run.id, format=99)  # type: ignore[arg-type]  # no such format
    done = await asyncio.to_thread(_run_job, mesh, request)
    assert done.returncode == 0, "another attempt would fail too"
    error = error_from_json(_row(mesh, request).error or "")
    assert isinstance(error, InvalidArgumentError) and error.field == "format"


async def test_a_failure_of_the_store_is_retried(mesh: LocalMesh) -> None:
    run = await mesh.run(ONE_IMAGE, {"tags": ["a"]})
    request = run_pb2.ExportRunRequest(run_id=run.id, format=run_pb2.EXPORT_FORMAT_WEBDATASET)
    for path in mesh.folder.glob("store/objects/??/*"):
        path.write_bytes(b"damaged")
    done = await asyncio.to_thread(_run_job, mesh, request)
    assert done.returncode == 1
    assert "the export failed" in done.stderr.splitlines()[-1], "the last line of its log is the reason"


async def test_jobs_need_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_KUBERNETES_NAMESPACE"):
        async with open_mesh(tmp_path, export_job_template=tmp_path / "job.yaml"):
            pass
