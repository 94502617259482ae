"""A namespace of a real Kubernetes whose nodes are played by kwok, where there is one, and an API server that plays."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lumenmill_orchestrator.fleet import KubernetesApi

from .api_server import DEPLOYMENTS, EVENTS, PODS, ApiServer, playing
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


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with playing(tmp_path) as (server, kubeconfig):
        # The client looks for the variable when it is imported, and for this name when it is asked.
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
        server.lists = {PODS: [], EVENTS: [], DEPLOYMENTS: []}
        yield server
