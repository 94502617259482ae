"""The tiny service and its parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.jobs import JobQueue
from lumenmill_common.service import Service

from .tiny_service import TinyFamily, tiny_service


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(f"file://{tmp_path}/store")


@pytest.fixture
def family(store: ArtifactStore) -> Iterator[TinyFamily]:
    family = TinyFamily(store)
    yield family
    # A worker that still waits would keep the process of the tests from ending.
    family.resume.set()
    family.resume_deferred.set()


@pytest.fixture
def jobs(store: ArtifactStore) -> JobQueue:
    return JobQueue("tiny", max_queue_length=2, grace_period_s=0.3, max_batch_size=4, store=store)


@pytest.fixture
def service(family: TinyFamily, jobs: JobQueue) -> Service:
    return tiny_service(family, jobs)
