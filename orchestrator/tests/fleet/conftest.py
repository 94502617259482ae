"""A namespace of a real Kubernetes whose nodes are played by kwok, where there is one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lumenmill_orchestrator.fleet import KubernetesApi

from .fake_nodes import fresh_namespace, kwok_running, need_kwok


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    need_kwok()
    api = KubernetesApi()
    yield api
    api.close()


@pytest.fixture
def namespace(api: KubernetesApi, tmp_path: Path) -> Iterator[str]:
    with kwok_running(tmp_path), fresh_namespace(api, "fleet-test") as name:
        yield name
