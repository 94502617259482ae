"""An API server on this machine is reached without the proxy that the environment names."""

import pytest

from lumenmill_orchestrator.fleet import ClusterReader, KubernetesApi

from .fake_api_server import NAMESPACE, NODES, FakeApiServer, a_node


async def test_an_api_server_on_this_machine_is_not_looked_for_at_a_proxy(
    fake_api: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    fake_api.lists[NODES] = [a_node("node-0", 8)]
    nodes = await ClusterReader(KubernetesApi(), NAMESPACE, "mill").nodes()
    assert nodes is not None and [node.name for node in nodes] == ["node-0"]
