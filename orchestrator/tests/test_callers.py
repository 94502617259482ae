"""Callers of the orchestrator: whose runs they control, what they upload, and how services learn for whom it calls."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.common.v1 import generation_pb2, job_pb2, job_pb2_grpc
from lumenmill.orchestrator.v1 import artifact_service_pb2, artifact_service_pb2_grpc, run_pb2, run_pb2_grpc
from lumenmill_common.artifacts import open_store
from lumenmill_common.calls import connect
from lumenmill_common.serve import serving
from lumenmill_common.settings import SecuritySettings, ServiceSettings
from lumenmill_common.testing.callers import security_of, write_callers
from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings

from .conftest import renew_threads
from .pods import until
from .recipes import ONE_IMAGE
from .tiny_mesh import TinyFamily, tiny_service

_ROLES = {"rita": "reader", "sam": "submitter", "sue": "submitter", "ada": "admin", "mesh": "service"}
_WEIGHTS = b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"lora": {}}'.ljust(64) + b"0" * 64


class _Mesh:
    """A model and an orchestrator with a table of callers, seen by each of them."""

    def __init__(self, folder: Path, family: TinyFamily, address: str, model_address: str) -> None:
        self.folder, self.family, self._address, self.model_address = folder, family, address, model_address
        self._channels: dict[str, grpc.aio.Channel] = {}

    def channel(self, name: str) -> grpc.aio.Channel:
        if name not in self._channels:
            self._channels[name] = connect(self._address, security_of(self.folder, name))
        return self._channels[name]

    def runs(self, name: str) -> Any:
        return run_pb2_grpc.RunServiceStub(self.channel(name))

    def artifacts(self, name: str) -> Any:
        return artifact_service_pb2_grpc.ArtifactServiceStub(self.channel(name))

    async def submit(self, name: str, tag: str = "one", **options: Any) -> run_pb2.Run:
        request = run_pb2.SubmitRunRequest(recipe=ONE_IMAGE, **options)
        request.parameters.update({"tags": [tag]})
        return (await self.runs(name).SubmitRun(request)).run  # type: ignore[no-any-return]

    async def upload(self, name: str, data: bytes, media_type: str) -> Any:
        parts = [artifact_service_pb2.UploadArtifactRequest(header={"media_type": media_type})]
        parts.append(artifact_service_pb2.UploadArtifactRequest(chunk=data))
        return await self.artifacts(name).UploadArtifact(iter(parts))

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()


@contextlib.asynccontextmanager
async def _open(folder: Path, **settings: Any) -> AsyncIterator[_Mesh]:
    renew_threads()
    callers = write_callers(folder / "callers", **_ROLES)
    own = security_of(folder, "mesh").token_file
    family = TinyFamily(open_store(f"file://{folder}/store"))
    model = ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0, callers_file=callers)
    async with serving(model, tiny_service(family)) as port:
        orchestrator = OrchestratorSettings(
            listen_address="127.0.0.1:0",
            drain_s=0.0,
            callers_file=callers,
            token_file=own,
            database_url=f"sqlite:///{folder}/orchestrator.sqlite",
            store_url=f"file://{folder}/store",
            models=f"{{tiny: '127.0.0.1:{port}'}}",
            **settings,
        )
        async with serving(orchestrator, orchestrator_service(orchestrator)) as own_port:
            mesh = _Mesh(folder, family, f"127.0.0.1:{own_port}", f"127.0.0.1:{port}")
            try:
                yield mesh
            finally:
                family.go_on.set()
                await mesh.close()


@contextlib.contextmanager
def _denied(role: str) -> Iterator[None]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        yield
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert f"needs the role {role}" in refused.value.details()


async def test_a_run_has_its_submitter_who_controls_it_as_an_admin_does(tmp_path: Path) -> None:
    async with _open(tmp_path) as mesh:
        mesh.family.go_on.clear()
        run = await mesh.submit("sam", run_id="of-sam")
        assert run.submitter == "sam"
        [listed] = (await mesh.runs("rita").ListRuns(run_pb2.ListRunsRequest())).runs
        assert listed.submitter == "sam"
        requests = {
            "PauseRun": run_pb2.PauseRunRequest(run_id=run.id),
            "ResumeRun": run_pb2.ResumeRunRequest(run_id=run.id),
            "CancelRun": run_pb2.CancelRunRequest(run_id=run.id),
        }
        for name, request in requests.items():
            with _denied("admin"):
                await getattr(mesh.runs("sue"), name)(request)
            with _denied("submitter"):
                await getattr(mesh.runs("rita"), name)(request)
        paused = (await mesh.runs("sam").PauseRun(requests["PauseRun"])).run
        assert paused.state == run_pb2.RUN_STATE_PAUSED
        await mesh.runs("ada").ResumeRun(requests["ResumeRun"])
        cancelled = (await mesh.runs("sam").CancelRun(requests["CancelRun"])).run
        assert cancelled.state == run_pb2.RUN_STATE_CANCELLED


async def test_a_service_knows_for_whom_the_orchestrator_calls(tmp_path: Path) -> None:
    async with _open(tmp_path) as mesh:
        mesh.family.go_on.clear()
        run = await mesh.submit("sam")
        await until(lambda: mesh.family.requests)
        _, request = mesh.family.requests[-1]
        assert request.job.run_id == run.id
        async with connect(mesh.model_address, security_of(tmp_path, "sue")) as model:
            jobs: Any = job_pb2_grpc.JobServiceStub(model)
            job_id = request.job.request_id
            assert (await jobs.GetJob(job_pb2.GetJobRequest(request_id=job_id))).submitter == "sam"
            with _denied("admin"):
                await jobs.CancelJob(job_pb2.CancelJobRequest(request_id=job_id))
        mesh.family.go_on.set()
        last = [answer.run async for answer in mesh.runs("rita").WatchRun(run_pb2.WatchRunRequest(run_id=run.id))][-1]
        assert (last.state, last.num_samples_accepted) == (run_pb2.RUN_STATE_COMPLETED, 1)


async def test_only_an_admin_submits_with_the_highest_priority(tmp_path: Path) -> None:
    async with _open(tmp_path) as mesh:
        with _denied("admin"):
            await mesh.submit("sam", priority=generation_pb2.JOB_PRIORITY_HIGH)
        run = await mesh.submit("ada", priority=generation_pb2.JOB_PRIORITY_HIGH)
        last = [answer.run async for answer in mesh.runs("ada").WatchRun(run_pb2.WatchRunRequest(run_id=run.id))][-1]
        assert last.num_samples_accepted == 1, "the model accepts the priority that the orchestrator has checked"


@pytest.mark.parametrize("media_type", ["application/vnd.safetensors", "application/octet-stream"])
async def test_only_an_admin_uploads_weights_whatever_they_are_called(tmp_path: Path, media_type: str) -> None:
    async with _open(tmp_path) as mesh:
        with _denied("admin"):
            await mesh.upload("sam", _WEIGHTS, media_type)
        assert (await mesh.upload("ada", _WEIGHTS, media_type)).artifact.size_bytes == len(_WEIGHTS)
        assert (await mesh.upload("sam", b"words", "text/plain")).artifact.sha256


async def test_a_caller_has_a_limit_of_bytes_that_it_uploads_at_once(tmp_path: Path) -> None:
    async with _open(tmp_path, max_upload_bytes=3000, max_upload_bytes_per_caller=1000) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await mesh.upload("sam", b"x" * 1001, "text/plain")
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "LUMENMILL_MAX_UPLOAD_BYTES_PER_CALLER" in refused.value.details()
        halfway, go_on = asyncio.Event(), asyncio.Event()

        async def parts() -> AsyncIterator[artifact_service_pb2.UploadArtifactRequest]:
            yield artifact_service_pb2.UploadArtifactRequest(header={"media_type": "text/plain"})
            yield artifact_service_pb2.UploadArtifactRequest(chunk=b"y" * 900)
            halfway.set()
            await go_on.wait()

        running = asyncio.ensure_future(mesh.artifacts("sam").UploadArtifact(parts()))
        await halfway.wait()

        async def is_full() -> bool:
            try:
                await mesh.upload("sam", b"z" * 200, "text/plain")
            except grpc.aio.AioRpcError as error:
                return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "`sam`" in (error.details() or "")
            return False

        async with asyncio.timeout(10):
            while not await is_full():
                await asyncio.sleep(0.02)
        await mesh.upload("sue", b"z" * 900, "text/plain")
        go_on.set()
        await running
        await mesh.upload("sam", b"z" * 900, "text/plain")


async def test_an_orchestrator_without_a_token_of_its_own_is_refused_by_models(tmp_path: Path) -> None:
    async with _open(tmp_path) as mesh, connect(mesh.model_address, SecuritySettings()) as stranger:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await job_pb2_grpc.JobServiceStub(stranger).GetJob(job_pb2.GetJobRequest(request_id="x"))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
