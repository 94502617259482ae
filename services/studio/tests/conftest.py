"""A real studio server on port 0 with a store in a temporary folder, shared by all tests of the package."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio

import lumenmill_media as media
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2_grpc
from lumenmill.video.v1 import video_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.testing import running_service
from lumenmill_studio.__main__ import studio_service
from lumenmill_studio.settings import StudioSettings

SIZE = {"width_px": 96, "height_px": 72, "preset": "fast"}


@pytest.fixture(scope="session")
def environment_maps() -> list[Path]:
    """Real environment maps, or the test is skipped."""
    folder = Path(os.environ.get("LUMENMILL_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
    maps = sorted((folder / "hdri").glob("*.hdr"))
    if not maps:
        pytest.skip(f"no real environment maps in {folder}/hdri; set LUMENMILL_TEST_DATA")
    return maps


@dataclass
class Studio:
    """A running studio and the store that it shares with its callers."""

    channel: grpc.aio.Channel
    store: ArtifactStore

    def __post_init__(self) -> None:
        self.imager = imager_pb2_grpc.ImagerServiceStub(self.channel)
        self.relighter = relighter_pb2_grpc.RelighterServiceStub(self.channel)
        self.video = video_pb2_grpc.VideoServiceStub(self.channel)

    async def result(self, method: Any, request: Any, request_id: str) -> Any:
        """The result of a heavy call."""
        request.job.request_id = request_id
        result = None
        async for response in method(request):
            if response.HasField("result"):
                result = response.result
        return result

    async def still_life(self, request_id: str, seed: int = 3) -> imager_pb2.GeneratedImage:
        """A small still life."""
        scene = SceneDescription(
            kind=SceneKind.SCENE_KIND_STILL_LIFE,
            subjects=["jug", "lemon"],
            materials=["white ceramic", "natural"],
            place="on an oak table",
        )
        request = imager_pb2.GenerateImagesRequest(scene=scene, seed=seed, **SIZE)
        return (await self.result(self.imager.GenerateImages, request, request_id)).images[0]

    def numbers(self, artifact: Any) -> np.ndarray:
        """Pixels (H, W, C) of an EXR artifact."""
        return media.decode_exr(self.store.read_bytes(artifact))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    settings = StudioSettings(
        listen_address="127.0.0.1:0",
        metrics_address="",
        drain_s=0.0,
        render_variant="scalar",
        store_url=tmp_path_factory.mktemp("store").as_uri(),
    )
    async with running_service(studio_service(settings), settings) as channel:
        yield Studio(channel, open_store(settings.store_url))
