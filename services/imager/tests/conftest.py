"""A real imager on port 0 for each model, which loads a tiny checkpoint as in production."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.calls import connect
from lumenmill_common.serve import serving as serving_at
from lumenmill_imager.__main__ import imager_service
from lumenmill_neural.catalogue import ModelEntry, read_catalogue
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.testing import TinyCheckpoints, tiny_settings

from .tiny import SAVERS

SMALL = {"width_px": 64, "height_px": 64, "sampling": {"num_steps": 2}}


@dataclass
class Imager:
    """A running imager and the store it shares with its callers."""

    address: str
    channel: grpc.aio.Channel
    store: ArtifactStore
    settings: NeuralSettings

    def __post_init__(self) -> None:
        self.stub = imager_pb2_grpc.ImagerServiceStub(self.channel)
        self.model_stub = model_pb2_grpc.ModelServiceStub(self.channel)

    @property
    def entry(self) -> ModelEntry:
        return read_catalogue("lumenmill_imager")[self.settings.model]

    async def model(self) -> model_pb2.Model:
        return (await self.model_stub.GetModel(model_pb2.GetModelRequest())).model

    async def events(self, request_id: str, deadline_s: float | None = None, **fields: Any) -> list[Any]:
        request = imager_pb2.GenerateImagesRequest(job={"request_id": request_id}, **(SMALL | fields))
        return [event async for event in self.stub.GenerateImages(request, timeout=deadline_s)]

    async def images(self, request_id: str, **fields: Any) -> list[imager_pb2.GeneratedImage]:
        return list((await self.events(request_id, **fields))[-1].result.images)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> TinyCheckpoints:
    """Return the folders of the tiny checkpoints of all models."""
    return TinyCheckpoints(tmp_path_factory.mktemp("checkpoints"), SAVERS)


@pytest.fixture
def serving(tmp_path: Path, checkpoints: TinyCheckpoints) -> Any:
    """`async with serving(model, **settings) as imager`."""

    @contextlib.asynccontextmanager
    async def serve(model: str, **settings: Any) -> AsyncIterator[Imager]:
        values = NeuralSettings(**tiny_settings(tmp_path, model, checkpoints(model), **settings))
        service = serving_at(values, imager_service(values))
        async with service as port, connect(f"127.0.0.1:{port}", values) as channel:
            yield Imager(f"127.0.0.1:{port}", channel, open_store_from(values), values)

    return serve
