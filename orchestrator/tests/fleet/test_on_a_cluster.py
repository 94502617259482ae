"""Capacity, deletion costs and Jobs on a real API server, scheduler and controllers, with pods that kwok simulates."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Any

import pytest

from lumenmill_orchestrator.fleet import ClusterCapacity, ClusterReader, KubernetesApi, KubernetesJobs
from lumenmill_orchestrator.fleet.deletion_costs import DeletionCosts
from lumenmill_orchestrator.fleet.kubernetes_jobs import JobFailedError
from lumenmill_orchestrator.mesh import Load

from .given_demand import GivenDemand
from .kwok_cluster import RELEASE, create_all, deployment, node, pod_template, until

_GPU = "NVIDIA-H100-80GB-HBM3"


def _deploy(api: KubernetesApi, namespace: str, *deployments: dict[str, Any]) -> None:
    create_all(api, [(f"/apis/apps/v1/namespaces/{namespace}/deployments", each) for each in deployments])


def _a_node(name: str, num_gpus: int = 8) -> Iterable[tuple[str, dict[str, Any]]]:
    return [("/api/v1/nodes", node(name, _GPU if num_gpus else "", num_gpus))]


async def _read_again(reader: ClusterReader) -> Any:
    await asyncio.sleep(2.1)
    return await reader.read()


async def test_the_capacity_has_the_words_of_the_scheduler(api: KubernetesApi, namespace: str) -> None:
    _deploy(
        api, namespace,
        deployment("wan", 1, 1, _GPU, scaling="keda", min_replicas="0", max_replicas="4"),
        deployment("zero", 0, 1, _GPU, scaling="keda", min_replicas="0", max_replicas="4"),
        deployment("off", 0, 1, _GPU, scaling="none"),
    )  # fmt: skip
    create_all(api, _a_node("fake-cpu", 0))
    reader = ClusterReader(api, namespace, RELEASE)
    capacity = ClusterCapacity(reader)
    async with asyncio.timeout(30):
        while "nodes are available" not in (state := await capacity.state_of("wan")).reason:  # type: ignore[union-attr]
            await asyncio.sleep(0.5)
    assert state is not None and state.is_coming and "is pending: 0/" in state.reason
    zero, off = await capacity.state_of("zero"), await capacity.state_of("off")
    assert zero is not None and zero.is_coming and "scaled to zero, a pod is being requested" in zero.reason
    assert off is not None and not off.is_coming and "kubectl scale deployment mill-off --replicas=1" in off.reason
    assert await capacity.state_of("stranger") is None
    create_all(api, _a_node("fake-gpu"))
    async with asyncio.timeout(60):
        while (state := await capacity.state_of("wan")) is None or "is ready" not in state.reason:
            await asyncio.sleep(0.5)
    assert not state.is_coming, "the pod exists, and waiting does not bring calls to it"
    assert (await reader.read()).load_times_s["wan"] >= 0


async def test_idle_pods_are_removed_first(api: KubernetesApi, namespace: str) -> None:
    create_all(api, _a_node("fake-gpu"))
    _deploy(api, namespace, deployment("wan", 4, 1, _GPU, scaling="keda", min_replicas="0", max_replicas="6"))
    reader, demand = ClusterReader(api, namespace, RELEASE), GivenDemand()
    costs = DeletionCosts(reader, demand)  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        while len([pod for pod in (await _read_again(reader)).pods_of("wan") if pod.ready_time_s]) < 4:
            pass
    busy = (await reader.read()).pods_of("wan")[2]
    now_s = time.time()
    demand.load = Load(0, 1, 600.0, now_s, {f"{busy.ip}:50051": 1})
    await costs.update(now_s)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{RELEASE}-wan/scale"
    change = {"spec": {"replicas": 1}}  # as KEDA does
    await api.in_thread(api.request, "PATCH", path, change, content_type="application/merge-patch+json")
    async with asyncio.timeout(60):
        while len((await _read_again(reader)).pods_of("wan")) > 1:
            pass
    assert [pod.name for pod in (await reader.read()).pods_of("wan")] == [busy.name]


def _job_template() -> dict[str, Any]:
    template = pod_template("", 0)
    template["spec"] |= {"restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {},
        "spec": {"backoffLimit": 0, "template": {"metadata": {}, "spec": template["spec"]}},
    }  # fmt: skip


def _end_pod(api: KubernetesApi, namespace: str, job: str, exit_code: int, message: str) -> None:
    selector = f"batch.kubernetes.io/job-name={job}"
    pods = api.list_objects(f"/api/v1/namespaces/{namespace}/pods", dict, labelSelector=selector)
    for pod in pods:
        terminated = {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed", "message": message}
        status = {
            "phase": "Failed" if exit_code else "Succeeded",
            "containerStatuses": [
                {"name": "model", "image": "x", "imageID": "", "ready": False, "restartCount": 0,
                 "state": {"terminated": terminated}}
            ],
        }  # fmt: skip
        path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
        api.request("PATCH", path, {"status": status}, content_type="application/merge-patch+json")


async def test_jobs_outlive_their_callers_are_found_again_and_report_why_they_fail(
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
    problems: list[str] = []

    async def follow() -> None:
        async for problem in jobs.run(name, _job_template(), environment):
            problems.append(problem)

    first = asyncio.create_task(follow())
    async with asyncio.timeout(30):
        while not any("nodes" in problem for problem in problems):
            await asyncio.sleep(0.2)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    assert await jobs.is_running(name), "it continues without its caller"
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
    pods = api.list_objects(f"/api/v1/namespaces/{namespace}/pods", dict)
    return any(pod.get("status", {}).get("phase") == "Running" for pod in pods)
