"""Stores for tests that depend on the kind of store: a folder, or a bucket of a real MinIO."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumenmill.orchestrator.v1 import artifact_service_pb2
from lumenmill_common.settings import StoreSettings
from lumenmill_common.testing.s3_server import S3Server, s3_server

from .conftest import LocalMesh

# S3 dates objects in whole seconds; younger ones cannot be distinguished from those that are being written.
YOUNG_S = 2


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("minio")) as server:
        server.start()
        yield server


@pytest.fixture(params=["folder", "s3"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    """Settings of a new store."""
    if request.param == "folder":
        return StoreSettings(store_url=f"file://{tmp_path}/store")
    server: S3Server = request.getfixturevalue("minio")
    return server.settings(tmp_path.name)


async def collect(mesh: LocalMesh, **options: Any) -> artifact_service_pb2.CollectGarbageResponse:
    """Return the last response of a collection."""
    request = artifact_service_pb2.CollectGarbageRequest(**options)
    *_, last = [response async for response in mesh.artifacts.CollectGarbage(request)]
    return last


async def verify(mesh: LocalMesh) -> tuple[set[str], set[str]]:
    """Return the digests of damaged and of missing artifacts."""
    found = [response async for response in mesh.artifacts.VerifyStore(artifact_service_pb2.VerifyStoreRequest())]
    return (
        {response.damaged.sha256 for response in found if response.HasField("damaged")},
        {response.missing.sha256 for response in found if response.HasField("missing")},
    )


async def make_old(mesh: LocalMesh) -> None:
    """Make everything in the store older than YOUNG_S, by waiting where the server dates the objects."""
    if mesh.settings.store_url.startswith("s3://"):
        await asyncio.sleep(YOUNG_S + 1.1)
        return
    for path in mesh.folder.glob("store/objects/??/*"):
        os.utime(path, (time.time() - 86_400, time.time() - 86_400))
