"""An API server on this machine is reached without the proxy that the environment names."""

import pytest

from lumenmill_common.testing.recording_proxy import recording_proxy
from lumenmill_orchestrator.fleet import ClusterReader, KubernetesApi

from .fake_api_server import NAMESPACE, NODES, FakeApiServer, a_node


async def test_an_api_server_on_this_machine_is_not_looked_for_at_a_proxy(
    fake_api: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_api.lists[NODES] = [a_node("node-0", 8)]
    with recording_proxy() as proxy:
        for name, value in proxy.environment.items():
            monkeypatch.setenv(name, value)
        nodes = await ClusterReader(KubernetesApi(), NAMESPACE, "mill").nodes()
    assert not proxy.requested
    assert nodes is not None and [node.name for node in nodes] == ["node-0"]
