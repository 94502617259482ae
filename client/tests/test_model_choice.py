"""Which model a call without a model's name goes to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from lumenmill.common.v1 import intrinsics_pb2, model_pb2
from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_client import AsyncClient

_CONTRACTS = ("lumenmill.relighter.v1.RelighterService", "lumenmill.video.v1.VideoService")
_MAPS = model_pb2.Model(contracts=_CONTRACTS, intrinsic_kinds=[intrinsics_pb2.INTRINSIC_KIND_DEPTH])
_PICTURES = model_pb2.Model(contracts=_CONTRACTS, text_input=model_pb2.TEXT_INPUT_NONE)
_TEXT = model_pb2.Model(contracts=_CONTRACTS, text_input=model_pb2.TEXT_INPUT_DESCRIPTION)


class _Model(relighter_pb2_grpc.RelighterServiceServicer, video_pb2_grpc.VideoServiceServicer):
    """Answers with its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def GenerateVideo(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - gRPC
        yield video_pb2.GenerateVideoResponse(result={"record": {"model": self.name}})

    async def Decompose(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - gRPC
        yield relighter_pb2.DecomposeResponse(result={"record": {"model": self.name}})


class _Registry(run_pb2_grpc.RunServiceServicer):
    def __init__(self, models: list[run_pb2.RegisteredModel]) -> None:
        self.models = models

    async def ListModels(self, request: Any, context: Any) -> run_pb2.ListModelsResponse:  # noqa: N802 - gRPC
        return run_pb2.ListModelsResponse(models=self.models)


@asynccontextmanager
async def _mesh(**models: model_pb2.Model) -> AsyncIterator[AsyncClient]:
    """Serve models, in this order, and yield a client of their mesh."""
    servers, registered = [], []
    for name, model in models.items():
        server = grpc.aio.server()
        relighter_pb2_grpc.add_RelighterServiceServicer_to_server(_Model(name), server)
        video_pb2_grpc.add_VideoServiceServicer_to_server(_Model(name), server)
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        registered.append(run_pb2.RegisteredModel(name=name, address=address, ready=True, model=model))
        servers.append(server)
    registry = grpc.aio.server()
    run_pb2_grpc.add_RunServiceServicer_to_server(_Registry(registered), registry)
    port = registry.add_insecure_port("127.0.0.1:0")
    servers.append(registry)
    for server in servers:
        await server.start()
    try:
        async with AsyncClient(f"127.0.0.1:{port}") as client:
            yield client
    finally:
        for server in servers:
            await server.stop(0)


_CLIP = video_pb2.GenerateVideoRequest(prompt="a kettle")


@pytest.mark.parametrize(
    ("models", "makes_clips", "makes_maps"),
    [
        ({"first": _PICTURES, "second": _MAPS, "third": _TEXT}, "third", "second"),
        ({"first": _TEXT, "second": _MAPS}, "first", "second"),
        ({"first": _PICTURES}, "first", "first"),  # the model itself says what it cannot do
    ],
)
async def test_a_call_goes_to_the_first_suitable_model(
    models: dict[str, model_pb2.Model], makes_clips: str, makes_maps: str
) -> None:
    async with _mesh(**models) as client:
        assert (await client.video(_CLIP)).record.model == makes_clips
        assert (await client.decompose(None)).record.model == makes_maps
        assert (await client.video(_CLIP, model="first")).record.model == "first"
