"""Lists are read in pages; one that expires meanwhile is read from its start."""

import pytest

from lumenmill_common.errors import UnavailableError
from lumenmill_orchestrator.fleet import ClusterReader, KubernetesApi

from .fake_api_server import NAMESPACE, NODES, FakeApiServer, a_node

_NUM_NODES = 1001


def _reader(fake_api: FakeApiServer) -> ClusterReader:
    fake_api.lists[NODES] = [a_node(f"node-{number:04}", 8) for number in range(_NUM_NODES)]
    return ClusterReader(KubernetesApi(), NAMESPACE, "mill")


async def test_a_long_list_is_read_page_by_page(fake_api: FakeApiServer) -> None:
    nodes = await _reader(fake_api).nodes()
    assert nodes is not None
    assert [node.name for node in nodes] == [node["metadata"]["name"] for node in fake_api.lists[NODES]]
    limits = [int(query["limit"]) for _, query in fake_api.requests]
    assert len(limits) == 5 and max(limits) <= 500
    assert ["continue" in query for _, query in fake_api.requests] == [False, True, True, True, True]
    assert not any("resourceVersion" in query for _, query in fake_api.requests), "with 0 the limit would be ignored"


@pytest.mark.parametrize("num_expiring", [1, 2])
async def test_an_expired_list_is_read_again_from_its_start(fake_api: FakeApiServer, num_expiring: int) -> None:
    fake_api.num_expiring = num_expiring
    nodes = await _reader(fake_api).nodes()
    assert nodes is not None
    assert len({node.name for node in nodes}) == len(nodes) == _NUM_NODES
    assert sum("continue" not in query for _, query in fake_api.requests) == num_expiring + 1


async def test_a_list_that_always_expires_is_given_up(fake_api: FakeApiServer) -> None:
    fake_api.num_expiring = 1000
    with pytest.raises(UnavailableError, match="continue parameter is too old"):
        await _reader(fake_api).nodes()
    assert len(fake_api.requests) == 6
