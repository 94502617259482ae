"""Pictures with known light, and a captioner that serves them."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill_captioner.families import PhotometricFamily
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.testing import running_family
from lumenmill_media import LIMITS

# Test modules are imported one by one, so that their folder is not on the path automatically.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(f"file://{tmp_path / 'store'}")


@pytest.fixture
async def channel(store: ArtifactStore) -> AsyncIterator[grpc.aio.Channel]:
    family = PhotometricFamily(store, LIMITS)
    async with running_family(family, captioner_pb2.DESCRIPTOR) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> captioner_pb2_grpc.CaptionerServiceStub:
    return captioner_pb2_grpc.CaptionerServiceStub(channel)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    default = Path(__file__).parents[3].parent / "shared" / "data"
    folder = Path(os.environ.get("LUMENMILL_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set LUMENMILL_TEST_DATA")
    return folder
