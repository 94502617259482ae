"""Supply, scaling and Jobs against a real API server, scheduler and controllers, with pods that kwok plays."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Any

import pytest
from lumenmill_orchestrator.fleet import ClusterReader, ClusterSupply, KubernetesApi, KubernetesJobs
from lumenmill_orchestrator.fleet.demand import Demand
from lumenmill_orchestrator.fleet.jobs import JobFailedError
from lumenmill_orchestrator.fleet.lease import Lease
from lumenmill_orchestrator.fleet.scaling import ScalingLoop
from lumenmill_orchestrator.mesh import Load

from .fake_nodes import RELEASE, create_all, deployment, node, pod_template, until

_GPU = "NVIDIA-H100-80GB-HBM3"


class StatedDemands:
    """Demands that the test states."""

    def __init__(self) -> None:
        self.load = Load()

    async def of(self, model: str, target_backlog_s: float) -> Demand:
        return Demand(self.load, target_backlog_s)


def _deploy(api: KubernetesApi, namespace: str, *deployments: dict[str, Any]) -> None:
    create_all(api, [(f"/apis/apps/v1/namespaces/{namespace}/deployments", each) for each in deployments])


def _a_node(name: str, num_gpus: int = 8) -> Iterable[tuple[str, dict[str, Any]]]:
    return [("/api/v1/nodes", node(name, _GPU if num_gpus else "", num_gpus))]


async def _fresh(reader: ClusterReader) -> Any:
    await asyncio.sleep(2.1)
    return await reader.read()


async def test_supply_speaks_the_words_of_the_scheduler(api: KubernetesApi, namespace: str) -> None:
    _deploy(
        api, namespace,
        deployment("wan", 1, 1, _GPU, scaling="keda", min_replicas="0", max_replicas="4"),
        deployment("zero", 0, 1, _GPU, scaling="keda", min_replicas="0", max_replicas="4"),
        deployment("off", 0, 1, _GPU, scaling="none"),
    )  # fmt: skip
    create_all(api, _a_node("fake-cpu", 0))
    reader = ClusterReader(api, namespace, RELEASE)
    supply = ClusterSupply(reader)
    async with asyncio.timeout(30):
        while "nodes are available" not in (state := await supply.of("wan")).reason:  # type: ignore[union-attr]
            await asyncio.sleep(0.5)
    assert state is not None and state.is_coming and "is pending: 0/" in state.reason
    zero, off = await supply.of("zero"), await supply.of("off")
    assert zero is not None and zero.is_coming and "scaled to zero, a pod is being asked for" in zero.reason
    assert off is not None and not off.is_coming and "kubectl scale deployment mill-off --replicas=1" in off.reason
    assert await supply.of("stranger") is None
    create_all(api, _a_node("fake-gpu"))
    async with asyncio.timeout(60):
        while (state := await supply.of("wan")) is None or "is ready" not in state.reason:
            await asyncio.sleep(0.5)
    assert not state.is_coming, "it is there, and whatever keeps calls from it is no matter of waiting"
    assert (await reader.read()).load_times_s["wan"] >= 0


async def test_one_replica_scales_and_idle_pods_go_first(api: KubernetesApi, namespace: str) -> None:
    create_all(api, _a_node("fake-gpu"))
    _deploy(api, namespace, deployment("wan", 0, 1, _GPU, scaling="builtin", min_replicas="0", max_replicas="6"))
    reader, demands = ClusterReader(api, namespace, RELEASE), StatedDemands()
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "mill-scaling"}}
    create_all(api, [(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", lease)])
    leases = [Lease(api, namespace, "mill-scaling", f"mill-orchestrator-{number}") for number in range(2)]
    loops = [ScalingLoop(api, reader, demands, lease, scales=True) for lease in leases]  # type: ignore[arg-type]
    now_s = time.time()
    demands.load = Load(num_waiting=4, backlog_s=2400.0, last_work_s=now_s)
    await loops[0].look(now_s)
    assert not leases[1].hold(), "one acts, and the other does not"
    async with asyncio.timeout(60):
        while len([pod for pod in (await _fresh(reader)).pods_of("wan") if pod.ready_time_s]) < 4:
            pass
    pods = (await reader.read()).pods_of("wan")
    busy = pods[2]
    demands.load = Load(0, 1, 600.0, now_s, {f"{busy.ip}:50051": 1})
    await loops[0].look(now_s + 1)
    assert (await _fresh(reader)).deployments["wan"].num_desired == 4, "not before it was too large for a while"
    for after_s in (150, 302):
        await loops[0].look(now_s + after_s)
    async with asyncio.timeout(60):
        while len((await _fresh(reader)).pods_of("wan")) > 1:
            pass
    assert [pod.name for pod in (await reader.read()).pods_of("wan")] == [busy.name]
    demands.load = Load(last_work_s=now_s + 302)
    for after_s in (310, 500, 700, 1010):
        await loops[0].look(now_s + after_s)
        await asyncio.sleep(2.1)
    assert (await _fresh(reader)).deployments["wan"].num_desired == 0


def _job_template() -> dict[str, Any]:
    template = pod_template("", 0)
    template["spec"] |= {"restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {},
        "spec": {"backoffLimit": 0, "template": {"metadata": {}, "spec": template["spec"]}},
    }  # fmt: skip


def _end_pod(api: KubernetesApi, namespace: str, job: str, exit_code: int, said: str) -> None:
    pods = list(api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"batch.kubernetes.io/job-name={job}"))
    for pod in pods:
        terminated = {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed", "message": said}
        status = {
            "phase": "Failed" if exit_code else "Succeeded",
            "containerStatuses": [
                {"name": "model", "image": "x", "imageID": "", "ready": False, "restartCount": 0,
                 "state": {"terminated": terminated}}
            ],
        }  # fmt: skip
        path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
        api.request("PATCH", path, {"status": status}, content_type="application/merge-patch+json")


async def test_jobs_are_attached_to_outlive_their_callers_and_tell_why_they_fail(
    api: KubernetesApi, namespace: str
) -> None:
    owner = {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "mill-orchestrator"},
        "spec": {"replicas": 0, "serviceName": "x", "selector": {"matchLabels": {"a": "b"}},
                 "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod_template("", 0)["spec"]}},
    }  # fmt: skip
    create_all(api, [(f"/apis/apps/v1/namespaces/{namespace}/statefulsets", owner)])
    jobs = KubernetesJobs(api, namespace, "mill-orchestrator-0")
    name, environment = jobs.name_of("export", "0123456789abcdef0123"), {"LUMENMILL_EXPORT_REQUEST": "{}"}
    told: list[str] = []

    async def follow() -> None:
        async for hold_up in jobs.run(name, _job_template(), environment):
            told.append(hold_up)

    first = asyncio.create_task(follow())
    async with asyncio.timeout(30):
        while not any("nodes" in words for words in told):
            await asyncio.sleep(0.2)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    assert await jobs.is_running(name), "whoever followed it has gone, and it goes on"
    made = api.request("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")
    assert made["metadata"]["ownerReferences"][0]["name"] == "mill-orchestrator"
    env = made["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "LUMENMILL_EXPORT_REQUEST", "value": "{}"} in env
    second = asyncio.create_task(follow())
    await asyncio.sleep(1.5)
    assert api.request("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")["metadata"] == made["metadata"]
    create_all(api, _a_node("fake-cpu", 0))
    await asyncio.to_thread(until, lambda: _has_pod(api, namespace), 30)
    _end_pod(api, namespace, name, 1, "the store is full")
    with pytest.raises(JobFailedError, match=r"has failed: Error \(exit code 1\): the store is full"):
        await asyncio.wait_for(second, 30)
    third = asyncio.create_task(follow())
    await asyncio.to_thread(until, lambda: _has_pod(api, namespace), 30)
    _end_pod(api, namespace, name, 0, "")
    await asyncio.wait_for(third, 30)
    assert not await jobs.is_running(name)


def _has_pod(api: KubernetesApi, namespace: str) -> bool:
    return any(
        pod.get("status", {}).get("phase") == "Running" for pod in api.items(f"/api/v1/namespaces/{namespace}/pods")
    )
