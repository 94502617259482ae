"""A real video service on port 0 for each model, which loads a tiny checkpoint as in production."""

import contextlib
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.testing import running_service
from lumenmill_media import put_clip, put_png
from lumenmill_neural.testing import TinyCheckpoints, tiny_settings
from lumenmill_video.__main__ import video_service
from lumenmill_video.settings import VideoSettings

from .tiny import SAVERS

STEPS = {"sampling": {"num_steps": 2}}


@dataclass
class Video:
    """A running video service and the store it shares with its callers."""

    channel: grpc.aio.Channel
    store: ArtifactStore
    settings: VideoSettings

    def __post_init__(self) -> None:
        self.stub = video_pb2_grpc.VideoServiceStub(self.channel)
        self.model_stub = model_pb2_grpc.ModelServiceStub(self.channel)

    async def model(self) -> model_pb2.Model:
        return (await self.model_stub.GetModel(model_pb2.GetModelRequest())).model

    async def events(self, request_id: str, deadline_s: float | None = None, **fields: Any) -> list[Any]:
        request = video_pb2.GenerateVideoRequest(job={"request_id": request_id}, **(STEPS | fields))
        return [event async for event in self.stub.GenerateVideo(request, timeout=deadline_s)]

    async def clip(self, request_id: str, **fields: Any) -> video_pb2.GenerateVideoResult:
        return (await self.events(request_id, **fields))[-1].result

    async def refusal(self, request_id: str, **fields: Any) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.events(request_id, **fields)
        return refused.value.code(), refused.value.details() or ""

    def picture(self, size_px: tuple[int, int], seed: int = 0) -> Image.Image:
        """Return a picture with soft structure."""
        small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
        return Image.fromarray(small).resize(size_px, Image.Resampling.BICUBIC)

    def put_picture(self, size_px: tuple[int, int], seed: int = 0) -> Artifact:
        return put_png(self.store, self.picture(size_px, seed))

    def put_clip(self, frames: Sequence[Image.Image], fps: float = 16.0) -> Artifact:
        return put_clip(self.store, (np.asarray(frame) for frame in frames), frames[0].size, fps)

    def pixels(self, picture: Artifact) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.store.read_bytes(picture))))


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> TinyCheckpoints:
    """Return the folders of the tiny checkpoints of all models."""
    return TinyCheckpoints(tmp_path_factory.mktemp("checkpoints"), SAVERS)


@pytest.fixture
def serving(tmp_path: Path, checkpoints: TinyCheckpoints) -> Any:
    """`async with serving(model, **settings) as video`."""

    @contextlib.asynccontextmanager
    async def serve(model: str, **settings: Any) -> AsyncIterator[Video]:
        values = VideoSettings(**tiny_settings(tmp_path, model, checkpoints(model), **settings))
        async with running_service(video_service(values), values) as channel:
            yield Video(channel, open_store_from(values), values)

    return serve
