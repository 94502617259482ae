"""Nodes and pods that kwok simulates in a real Kubernetes: no kubelet and no containers, all else is real."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lumenmill_common.errors import AlreadyExistsError, NotFoundError
from lumenmill_orchestrator.fleet import KubernetesApi

RELEASE = "mill"
_FAKE = "kwok.x-k8s.io/node"


def find_kwok() -> str:
    kwok = shutil.which("kwok")
    if not os.environ.get("KUBECONFIG") or kwok is None:
        pytest.skip("needs KUBECONFIG of a cluster for tests, and kwok on the path")
    return kwok


# Nodes and pods that kwok simulates are ready at once, and removed as soon as they are deleted.
_STAGES = """\
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: node-ready}
spec:
  resourceRef: {apiGroup: v1, kind: Node}
  selector:
    matchExpressions:
      - {key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: NotIn, values: ["True"]}
  next:
    statusTemplate: |
      conditions:
      - {type: Ready, status: "True", reason: KubeletReady, lastTransitionTime: {{ Now | Quote }}}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-ready}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
      - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
      - {key: .status.phase, operator: In, values: [Pending]}
  next:
    statusTemplate: |
      phase: Running
      startTime: {{ Now | Quote }}
      podIP: {{ index (PodIPsWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace) 0 | Quote }}
      conditions:
      - {type: Ready, status: "True", lastTransitionTime: {{ Now | Quote }}}
      containerStatuses:
      {{ range .spec.containers }}
      - {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, restartCount: 0, state: {running: {}}}
      {{ end }}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-gone}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
      - {key: .metadata.deletionTimestamp, operator: Exists}
  next:
    delete: true
"""


@contextlib.contextmanager
def kwok_running(folder: Path) -> Iterator[None]:
    stages = folder / "stages.yaml"
    stages.write_text(_STAGES)
    command = [
        find_kwok(), "--kubeconfig", os.environ["KUBECONFIG"], "--config", str(stages), "--cidr=10.64.0.0/12",
        f"--manage-nodes-with-annotation-selector={_FAKE}=fake",
    ]  # fmt: skip
    with (folder / "kwok.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as kwok:
        try:
            yield
        finally:
            kwok.terminate()


def node(name: str, gpu_type: str, num_gpus: int) -> dict[str, Any]:
    capacity = {"cpu": "64", "memory": "512Gi", "pods": "110"} | ({"nvidia.com/gpu": str(num_gpus)} if num_gpus else {})
    images = [
        {"names": [f"registry.example/images/number-{index}@sha256:{index:064x}"], "sizeBytes": 10**9}
        for index in range(50)
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {_FAKE: "fake"},
            "labels": {"kubernetes.io/hostname": name, "fake": "yes"}
            | ({"nvidia.com/gpu.product": gpu_type} if gpu_type else {}),
        },
        "spec": {"taints": [{"key": "fake", "effect": "NoSchedule"}]},  # only for pods that tolerate it
        "status": {"capacity": capacity, "allocatable": capacity, "images": images},
    }


def labels(model: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "lumenmill",
        "app.kubernetes.io/instance": RELEASE,
        "app.kubernetes.io/component": "model" if model else "orchestrator",
    } | ({"lumenmill.dev/model": model} if model else {})


def pod_template(model: str, num_gpus: int, gpu_type: str = "") -> dict[str, Any]:
    """As large as a real one."""
    variables = [
        {"name": f"LUMENMILL_SETTING_{number}", "value": f"a value of number {number}"} for number in range(40)
    ]
    limits = {"cpu": "4", "memory": "32Gi"} | ({"nvidia.com/gpu": str(num_gpus)} if num_gpus else {})
    return {
        "metadata": {"labels": labels(model)},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "automountServiceAccountToken": False,
            "nodeSelector": {"fake": "yes"} | ({"nvidia.com/gpu.product": gpu_type} if gpu_type else {}),
            "containers": [
                {
                    "name": "model",
                    "image": "registry.example/lumenmill-video:1",
                    "env": variables,
                    "resources": {"limits": limits},
                }
            ],
        },
    }


def deployment(model: str, replicas: int, num_gpus: int, gpu_type: str, **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{RELEASE}-{model}",
            "labels": labels(model),
            "annotations": {f"lumenmill.dev/{name.replace('_', '-')}": value for name, value in annotations.items()},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels(model)},
            "template": pod_template(model, num_gpus, gpu_type),
        },
    }


def pod(name: str, model: str, node_name: str, num_gpus: int) -> dict[str, Any]:
    template = pod_template(model, num_gpus)
    template["metadata"]["name"] = name
    template["spec"]["nodeName"] = node_name
    return {"apiVersion": "v1", "kind": "Pod", **template}


def create_all(api: KubernetesApi, objects: Iterable[tuple[str, dict[str, Any]]]) -> None:
    def create(path_and_object: tuple[str, dict[str, Any]]) -> None:
        with contextlib.suppress(AlreadyExistsError):
            api.request("POST", *path_and_object)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(create, objects))


@contextlib.contextmanager
def fresh_namespace(api: KubernetesApi, name: str) -> Iterator[str]:
    create_all(api, [("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})])
    until(lambda: _exists(api, f"/api/v1/namespaces/{name}/serviceaccounts/default"), 30)
    try:
        yield name
    finally:
        api.request("DELETE", f"/api/v1/namespaces/{name}")
        until(lambda: not _exists(api, f"/api/v1/namespaces/{name}"), 110)
        for found in api.list_objects("/api/v1/nodes", dict, labelSelector="fake=yes"):
            api.request("DELETE", f"/api/v1/nodes/{found['metadata']['name']}")


def _exists(api: KubernetesApi, path: str) -> bool:
    try:
        api.request("GET", path)
    except NotFoundError:
        return False
    return True


def until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not become true"
        time.sleep(0.2)
