"""A namespace of a real Kubernetes whose nodes kwok simulates, where there is one; and a fake API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lumenmill_orchestrator.fleet import KubernetesApi

from .fake_api_server import DEPLOYMENTS, EVENTS, PODS, FakeApiServer, serving
from .kwok_cluster import find_kwok, fresh_namespace, kwok_running


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    find_kwok()
    api = KubernetesApi()
    yield api
    api.close()


@pytest.fixture
def namespace(api: KubernetesApi, tmp_path: Path) -> Iterator[str]:
    with kwok_running(tmp_path), fresh_namespace(api, "fleet-test") as name:
        yield name


@pytest.fixture
def fake_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    with serving(tmp_path) as (server, kubeconfig):
        # The client reads the environment when it is imported, and this constant when it is configured.
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
        server.lists = {PODS: [], EVENTS: [], DEPLOYMENTS: []}
        yield server
