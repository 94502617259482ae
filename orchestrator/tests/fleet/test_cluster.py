"""Pods, Deployments and nodes of an API server, and what GetFleet and the capacity provider make of them."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_orchestrator.fleet import ClusterCapacity, ClusterReader, KubernetesApi

from ..conftest import open_mesh
from .fake_api_server import (
    DEPLOYMENTS,
    EVENTS,
    H100,
    NAMESPACE,
    NODES,
    PODS,
    FakeApiServer,
    a_deployment,
    a_node,
    a_pod,
)

_SCHEDULER = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
_QUOTA = 'pods "mill-held-x" is forbidden: exceeded quota: gpus'


def _container(state: dict[str, Any], num_restarts: int = 0, **more: Any) -> list[dict[str, Any]]:
    return [{"name": "model", "state": state, "restartCount": num_restarts, **more}]


_READY = {
    "phase": "Running", "podIP": "10.0.0.7", "startTime": "2026-01-01T12:00:00Z",
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T12:03:20Z"}],
    "containerStatuses": _container({"running": {}}),
}  # fmt: skip
_LOADING = {
    "phase": "Running", "startTime": "2026-01-01T12:00:00Z", "conditions": [{"type": "Ready", "status": "False"}],
    "containerStatuses": _container(
        {"running": {}}, 1, lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    ),
}  # fmt: skip
_UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "message": _SCHEDULER}],
}
_PULLING = {
    "phase": "Pending",
    "containerStatuses": _container({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
}
_MOUNTING = {"phase": "Pending", "containerStatuses": _container({"waiting": {"reason": "ContainerCreating"}})}
_FETCHING = {"phase": "Pending", "initContainerStatuses": _container({"running": {}})}
_CRASHING = {
    "phase": "Running",
    "containerStatuses": _container(
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}, 6,
        lastState={"terminated": {"reason": "Error", "exitCode": 1, "message": "cannot load: no such checkpoint\n"}},
    ),
}  # fmt: skip
_EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}


async def test_the_fleet_of_a_cluster(fake_api: FakeApiServer, tmp_path: Path) -> None:
    fake_api.lists[PODS] = [
        a_pod("wan-ready", _READY),
        a_pod("wan-leaving", _READY, deletionTimestamp="2026-01-01T13:00:00Z"),
        a_pod("wan-loading", _LOADING),
        a_pod("wan-noroom", _UNSCHEDULABLE, node=""),
        a_pod("wan-crashing", _CRASHING),
        a_pod("wan-evicted", _EVICTED),
        a_pod("wan-mounting", _MOUNTING),
    ]
    fake_api.lists[EVENTS] = [
        {"involvedObject": {"uid": "uid-wan-mounting"}, "reason": "FailedMount", "message": "no such volume",
         "lastTimestamp": "2026-01-01T12:00:00Z"}
    ]  # fmt: skip
    fake_api.lists[DEPLOYMENTS] = [a_deployment("wan", 7, "keda")]
    fake_api.lists[NODES] = [
        a_node("gpu-0", 8, labels={"nvidia.com/gpu.product": H100}),
        a_node("gpu-1", 8, ready=False, labels={"nvidia.com/gpu.product": H100}),
        a_node("gpu-2", 4),
        a_node("cpu-0", 0),
    ]
    async with open_mesh(tmp_path, kubernetes_namespace=NAMESPACE, kubernetes_release="mill") as mesh:
        fleet = await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest())
    assert fleet.from_kubernetes
    wan = next(model for model in fleet.models if model.name == "wan")
    assert (wan.num_desired, wan.num_ready, wan.num_starting, wan.num_pending) == (7, 1, 2, 2)
    assert (wan.min_replicas, wan.max_replicas, wan.num_gpus_per_pod, wan.gpu_type) == (0, 4, 2, H100)
    assert wan.load_time.ToSeconds() == 200
    assert wan.problem.startswith("wan-crashing: restarted 6 times, Error (exit code 1): cannot load: no such")
    pods = {pod.name: pod for pod in fleet.pods}
    states = {
        name: fleet_pb2.FleetPodState.Name(pod.state).removeprefix("FLEET_POD_STATE_") for name, pod in pods.items()
    }
    assert {name.removeprefix("wan-"): state for name, state in states.items() if pods[name].model == "wan"} == {
        "ready": "READY", "leaving": "DRAINING", "loading": "STARTING", "noroom": "PENDING", "crashing": "FAILED",
        "evicted": "FAILED", "mounting": "PENDING",
    }  # fmt: skip
    assert pods["wan-noroom"].problem == _SCHEDULER and not pods["wan-noroom"].node
    assert pods["wan-loading"].problem == "restarted 1 time, OOMKilled (exit code 137)"
    assert pods["wan-evicted"].problem == "Evicted: The node was low on resource: memory."
    assert pods["wan-mounting"].problem == "FailedMount: no such volume"
    assert pods["wan-ready"].gpu_type == H100 and pods["wan-ready"].load_time.ToSeconds() == 200
    assert (pods["wan-noroom"].num_gpus, pods["wan-evicted"].num_gpus, pods["wan-crashing"].num_gpus) == (0, 0, 2)
    types = [(each.gpu_type, each.num_nodes, each.num_usable_nodes, each.num_gpus) for each in fleet.node_types]
    assert types == [(H100, 2, 1, 16), ("unlabelled", 1, 1, 4), ("", 1, 1, 0)]
    assert (fleet.node_types[0].num_gpus_held, fleet.node_types[0].models) == (10, ["wan"])
    (unschedulable,) = fleet.unschedulable_pods
    assert (unschedulable.model, unschedulable.num_pods, unschedulable.scheduler_message) == ("wan", 1, _SCHEDULER)
    assert unschedulable.reason == fleet_pb2.FLEET_UNSCHEDULABLE_REASON_GPUS_IN_USE
    free = [(each.gpu_type, each.num_gpus, each.num_pods_that_fit) for each in unschedulable.free_gpus]
    assert free == [("unlabelled", 4, 1)]


async def test_gpus_have_the_names_that_the_chart_sets(fake_api: FakeApiServer, tmp_path: Path) -> None:
    """Pods with resource claims, and nodes whose GPUs have the names of another maker."""
    claiming, requesting = a_pod("wan-a", _READY), a_pod("wan-b", _READY)
    claiming["spec"] |= {"resourceClaims": [{"name": "gpus"}], "containers": [{"name": "model"}]}
    requesting["spec"]["containers"][0]["resources"] = {"limits": {"amd.com/gpu": "2"}}
    wan = a_deployment("wan", 2, "keda")
    wan["metadata"]["annotations"] |= {"lumenmill.dev/gpus": "4", "lumenmill.dev/gpu-type": "MI300X"}
    wan["spec"]["template"]["spec"]["nodeSelector"] = {}
    fake_api.lists |= {PODS: [claiming, requesting], DEPLOYMENTS: [wan]}
    node = a_node("gpu-0", 0, labels={"amd.com/gpu.product-name": "MI300X"})
    node["status"]["allocatable"] = {"amd.com/gpu": "8"}
    fake_api.lists[NODES] = [node]
    names = {"gpu_resource": "amd.com/gpu", "gpu_type_label": "amd.com/gpu.product-name"}
    async with open_mesh(tmp_path, kubernetes_namespace=NAMESPACE, kubernetes_release="mill", **names) as mesh:
        fleet = await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest(model="wan"))
    assert (fleet.models[0].num_gpus_per_pod, fleet.models[0].gpu_type) == (4, "MI300X")
    assert [pod.num_gpus for pod in fleet.pods] == [4, 2]
    (node_type,) = fleet.node_types
    assert (node_type.gpu_type, node_type.num_gpus, node_type.num_gpus_held) == ("MI300X", 8, 6)


async def test_without_rights_to_nodes_there_are_no_types_and_no_error(fake_api: FakeApiServer, tmp_path: Path) -> None:
    fake_api.lists[DEPLOYMENTS] = [a_deployment("wan", 0, "keda")]
    async with open_mesh(tmp_path, kubernetes_namespace=NAMESPACE, kubernetes_release="mill") as mesh:
        fleet = await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest())
        assert not fleet.node_types and not fleet.idle_gpus and not fleet.unschedulable_pods and fleet.from_kubernetes
        fake_api.is_unavailable = True
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            while True:  # for two seconds the last result is returned
                await mesh.runs.GetFleet(fleet_pb2.GetFleetRequest())
                await asyncio.sleep(0.1)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "unable to handle the request" in (refused.value.details() or "")
    assert all("limit" in query for path, query in fake_api.requests if path in (PODS, DEPLOYMENTS))


@pytest.mark.parametrize(
    ("pods", "is_coming", "words"),
    [
        ([a_pod("wan-a", _UNSCHEDULABLE, node="")], True, f"pod wan-a is pending: {_SCHEDULER}"),
        ([a_pod("wan-a", _CRASHING), a_pod("wan-b", _FETCHING)], True, "pod wan-b starts"),
        ([a_pod("wan-a", _PULLING)], False, "pod wan-a is pending: ImagePullBackOff: no such image"),
        ([a_pod("wan-a", _CRASHING)], False, "cannot load: no such checkpoint; CrashLoopBackOff: back-off 5m0s"),
        ([a_pod("wan-a", _READY)], False, "pod wan-a is ready, but does not answer the orchestrator"),
        ([a_pod("wan-a", _EVICTED)], True, "a pod of mill-wan is being created"),
    ],
)
async def test_the_capacity_of_a_model(
    fake_api: FakeApiServer, pods: list[dict[str, Any]], is_coming: bool, words: str
) -> None:
    fake_api.lists |= {PODS: pods, DEPLOYMENTS: [a_deployment("wan", 1, "keda")]}
    state = await ClusterCapacity(ClusterReader(KubernetesApi(), NAMESPACE, "mill")).state_of("wan")
    assert state is not None
    assert state.is_coming == is_coming and words in state.reason


async def test_pods_that_cannot_be_created_are_not_waited_for(fake_api: FakeApiServer) -> None:
    fake_api.lists[DEPLOYMENTS] = [a_deployment("held", 1, "keda", _QUOTA)]
    capacity = ClusterCapacity(ClusterReader(KubernetesApi(), NAMESPACE, "mill"))
    state = await capacity.state_of("held")
    assert state is not None and not state.is_coming and _QUOTA in state.reason


async def test_the_last_state_is_kept_while_the_api_server_does_not_answer(fake_api: FakeApiServer) -> None:
    fake_api.lists |= {PODS: [a_pod("wan-a", _FETCHING)], DEPLOYMENTS: [a_deployment("wan", 1, "keda")]}
    capacity = ClusterCapacity(ClusterReader(KubernetesApi(), NAMESPACE, "mill"))
    state = await capacity.state_of("wan")
    assert state is not None and state.is_coming
    fake_api.is_unavailable = True
    await asyncio.sleep(2.1)  # a younger result is not read again
    assert await capacity.state_of("wan") == state
    assert await ClusterCapacity(ClusterReader(KubernetesApi(), NAMESPACE, "mill")).state_of("wan") is None
