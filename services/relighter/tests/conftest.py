"""A real relighter on port 0 for each model, which loads a tiny checkpoint as in production."""

import contextlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.testing import running_service
from lumenmill_media import put_png
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.testing import TinyCheckpoints, tiny_settings
from lumenmill_relighter.__main__ import relighter_service

from .tiny import SAVERS, save_depth_lora

STEPS = 2


def photo(seed: int = 0, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return a picture with soft blobs of colour."""
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def disc(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return the matte of a disc in the middle."""
    x, y = np.meshgrid(np.arange(size[0]) - size[0] / 2, np.arange(size[1]) - size[1] / 2)
    return Image.fromarray(np.where(np.hypot(x, y) < min(size) / 3, 255, 0).astype(np.uint8))


@dataclass
class Relighter:
    """A running relighter and the store it shares with its callers."""

    channel: grpc.aio.Channel
    store: ArtifactStore
    settings: NeuralSettings

    def __post_init__(self) -> None:
        self.stub = relighter_pb2_grpc.RelighterServiceStub(self.channel)
        self.model_stub = model_pb2_grpc.ModelServiceStub(self.channel)

    async def model(self) -> model_pb2.Model:
        return (await self.model_stub.GetModel(model_pb2.GetModelRequest())).model

    def put(self, picture: Image.Image) -> Artifact:
        return put_png(self.store, picture)

    def pixels(self, artifact: Artifact) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.store.read_bytes(artifact))))

    def request(self, request_id: str, **fields: Any) -> relighter_pb2.RelightRequest:
        given = {"image": self.put(photo()), "sampling": {"num_steps": STEPS}} | fields
        return relighter_pb2.RelightRequest(job={"request_id": request_id}, **given)

    async def relit(self, request_id: str, **fields: Any) -> list[relighter_pb2.RelitImage]:
        events = [event async for event in self.stub.Relight(self.request(request_id, **fields))]
        return list(events[-1].result.variants)

    async def maps(self, request_id: str, **fields: Any) -> relighter_pb2.DecomposeResult:
        request = relighter_pb2.DecomposeRequest(job={"request_id": request_id}, **fields)
        return [event async for event in self.stub.Decompose(request)][-1].result


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> TinyCheckpoints:
    """Return the folders of the tiny checkpoints of all models."""
    return TinyCheckpoints(tmp_path_factory.mktemp("checkpoints"), SAVERS)


@pytest.fixture(scope="session")
def depth_lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the adapter that conditions FLUX.1 on depth."""
    folder = tmp_path_factory.mktemp("loras") / "depth"
    save_depth_lora(folder)
    return folder


@pytest.fixture
def serving(tmp_path: Path, checkpoints: TinyCheckpoints, depth_lora: Path) -> Any:
    """`async with serving(model, **settings) as relighter`."""

    @contextlib.asynccontextmanager
    async def serve(model: str, **settings: Any) -> AsyncIterator[Relighter]:
        if model.endswith("-lora"):
            settings = {"part_checkpoints": {"depth": str(depth_lora)}} | settings
        values = NeuralSettings(**tiny_settings(tmp_path, model, checkpoints(model), **settings))
        async with running_service(relighter_service(values), values) as channel:
            yield Relighter(channel, open_store_from(values), values)

    return serve
