"""Pods of scaled models are marked by their calls before KEDA removes some."""

import time
from dataclasses import replace

from lumenmill_orchestrator.fleet import ClusterReader, GpuNames, KubernetesApi
from lumenmill_orchestrator.fleet.deletion_costs import DeletionCosts, needed_pods
from lumenmill_orchestrator.fleet.demand import Demand
from lumenmill_orchestrator.fleet.objects import DELETION_COST, Deployment, parse_deployment
from lumenmill_orchestrator.mesh import Load

from .fake_api_server import DEPLOYMENTS, NAMESPACE, PODS, FakeApiServer, a_deployment, a_pod
from .given_demand import GivenDemand


def _deployment(min_replicas: int, max_replicas: int) -> Deployment:
    wan = parse_deployment(a_deployment("wan", 0, "keda"), GpuNames())
    return replace(wan, min_replicas=min_replicas, max_replicas=max_replicas)


def test_the_needed_pods_are_within_the_bounds() -> None:
    much = Demand(Load(num_waiting=20, backlog_s=12000.0), 600.0)
    assert needed_pods(much, _deployment(0, 100), 0.0) == 20
    assert needed_pods(much, _deployment(0, 4), 0.0) == 4
    none = Demand(Load(last_work_time=1000.0), 600.0)
    assert needed_pods(none, _deployment(0, 4), 1030.0) == 1, "the last one is kept for a while"
    assert needed_pods(none, _deployment(0, 4), 1100.0) == 0
    assert needed_pods(none, _deployment(2, 4), 1100.0) == 2


async def test_pods_are_marked_by_their_calls_when_there_are_too_many(fake_api: FakeApiServer) -> None:
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    marked = {"annotations": {DELETION_COST: "3"}}
    fake_api.lists[DEPLOYMENTS] = [a_deployment("wan", 3, "keda"), a_deployment("fixed", 3, "none")]
    fake_api.lists[PODS] = [
        a_pod("wan-busy", running | {"podIP": "10.0.0.1"}),
        a_pod("wan-idle", running | {"podIP": "10.0.0.2"}),
        a_pod("wan-was-busy", running | {"podIP": "10.0.0.3"}, **marked),
        a_pod("fixed-busy", running | {"podIP": "10.0.0.1"}),
    ]
    now_s, demand = time.time(), GivenDemand()
    costs = DeletionCosts(ClusterReader(KubernetesApi(), NAMESPACE, "mill"), demand)  # type: ignore[arg-type]
    demand.load = Load(0, 3, 1800.0, now_s, {"10.0.0.1:50051": 2})
    assert await costs.update(now_s)
    assert not fake_api.patches, "no pod is to be removed"
    demand.load = Load(0, 2, 600.0, now_s, {"10.0.0.1:50051": 2})
    assert await costs.update(now_s)
    written = {path.rpartition("/")[2]: body["metadata"]["annotations"] for path, body in fake_api.patches}
    assert written == {"wan-busy": {DELETION_COST: "2"}, "wan-was-busy": {DELETION_COST: "0"}}


async def test_nothing_is_marked_where_no_model_is_scaled(fake_api: FakeApiServer) -> None:
    fake_api.lists[DEPLOYMENTS] = [a_deployment("fixed", 3, "none")]
    costs = DeletionCosts(ClusterReader(KubernetesApi(), NAMESPACE, "mill"), GivenDemand())  # type: ignore[arg-type]
    assert not await costs.update(time.time())
    assert fake_api.paths() == [DEPLOYMENTS]
