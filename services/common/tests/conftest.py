"""The tiny service, ready to be run."""

from pathlib import Path

import pytest
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.jobs import JobQueue
from lumenmill_common.serve import Contract, Service
from tiny_service import TinyFamily, TinyServicer


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(f"file://{tmp_path}/store")


@pytest.fixture
def family(store: ArtifactStore) -> TinyFamily:
    return TinyFamily(store)


@pytest.fixture
def jobs(store: ArtifactStore) -> JobQueue:
    return JobQueue("tiny", max_queue_length=2, grace_period_s=0.3, max_batch_size=4, store=store)


@pytest.fixture
def service(family: TinyFamily, jobs: JobQueue) -> Service:
    add = imager_pb2_grpc.add_ImagerServiceServicer_to_server
    contract = Contract(imager_pb2.DESCRIPTOR, "ImagerService", add, TinyServicer(family, jobs))
    return Service("tiny", [contract], model=family.describe, jobs=jobs)
