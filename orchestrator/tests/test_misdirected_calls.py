"""An orchestrator that is asked for an RPC of models says which model serves it, and where."""

import contextlib
from pathlib import Path

import grpc
import pytest

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill.common.v1 import job_pb2, job_pb2_grpc, model_pb2, model_pb2_grpc
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.calls import call_heavy, call_unary, connect
from lumenmill_common.errors import UnauthenticatedError, UnimplementedError
from lumenmill_common.serve import serving
from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings

from .conftest import LocalMesh, open_mesh

_CAPTION = captioner_pb2.CaptionRequest(job={"request_id": "photo-1"})


async def _models(mesh: LocalMesh) -> list[run_pb2.RegisteredModel]:
    return list((await mesh.runs.ListModels(run_pb2.ListModelsRequest())).models)


async def _refusal_of_caption(channel: grpc.aio.Channel) -> str:
    with pytest.raises(UnimplementedError) as refused:
        await call_heavy(captioner_pb2_grpc.CaptionerServiceStub(channel).Caption, _CAPTION)
    return refused.value.message


async def test_a_call_of_a_model_is_refused_with_the_address_of_the_model(mesh: LocalMesh) -> None:
    (model,) = await _models(mesh)
    message = await _refusal_of_caption(mesh.channel)
    assert "lumenmill.captioner.v1.CaptionerService/Caption" in message
    assert f"call `tiny` at {model.address};" in message
    assert "RunService/ListModels" in message


async def test_models_that_are_ready_are_named_first(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as other:
        other_mesh = await other.enter_async_context(open_mesh(tmp_path / "other"))
        address = (await _models(other_mesh))[0].address
        async with open_mesh(tmp_path / "mesh", other_models={"another": address}) as mesh:
            ready = await _refusal_of_caption(mesh.channel)
            assert f"call `another` at {address} or `tiny` at " in ready and "not ready" not in ready
            await other.aclose()
            await _models(mesh)
            assert f" or `another` at {address} (not ready);" in await _refusal_of_caption(mesh.channel)


async def test_without_models_the_refusal_says_so(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret")
    settings = OrchestratorSettings(
        listen_address="127.0.0.1:0", drain_s=0.0, token_file=token, models="{}",
        database_url=f"sqlite:///{tmp_path}/orchestrator.sqlite", store_url=f"file://{tmp_path}/store",
    )  # fmt: skip
    async with serving(settings, orchestrator_service(settings)) as port:
        async with connect(f"127.0.0.1:{port}", settings) as channel:
            assert "no registered model serves it" in await _refusal_of_caption(channel)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as stranger:
            with pytest.raises(UnauthenticatedError):
                await call_heavy(captioner_pb2_grpc.CaptionerServiceStub(stranger).Caption, _CAPTION)


async def test_rpcs_that_every_model_serves_are_refused_likewise(mesh: LocalMesh) -> None:
    models, jobs = model_pb2_grpc.ModelServiceStub(mesh.channel), job_pb2_grpc.JobServiceStub(mesh.channel)
    for method, request in (
        (models.GetModel, model_pb2.GetModelRequest()),
        (jobs.CancelJob, job_pb2.CancelJobRequest(request_id="photo-1")),
    ):
        with pytest.raises(UnimplementedError, match="every model serves it at its own address"):
            await call_unary(method, request)
    unknown = mesh.channel.unary_unary("/lumenmill.captioner.v1.CaptionerService/Sing")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await unknown(b"")
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
