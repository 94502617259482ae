"""Pods request GPUs, run only on nodes that offer them, and are reported with the reason when there is none."""

import json

import pytest
from kube import CHART, Namespace, run, until
from mesh import RELEASE, Mesh, all_ready, helm_values

RESOURCE = "nvidia.com/gpu"
# A small service that requests a GPU; it never uses the device.
MODEL = {
    "name": "grammar-on-gpu", "service": "prompter", "settings": {"family": "grammar"}, "gpus": 1, "drainS": 5,
    "fetch": {"enabled": False}, "cache": {"size": "1Gi"}, "shmSizeMi": 64, "tmpSizeMi": 64,
    "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
}  # fmt: skip


@pytest.fixture
def with_a_gpu_model(mesh: Mesh, namespace: Namespace):
    models = json.loads(namespace.helm("get", "values", RELEASE, "--all", "-o", "json"))["models"]
    option = f"models={json.dumps([*models, MODEL])}"
    namespace.helm("upgrade", RELEASE, str(CHART), *helm_values(), "--set-json", option)
    # The kubelet updates files of running pods within a minute or two.
    until("the model is known", lambda: MODEL["name"] in {model["name"] for model in mesh.json("models")}, 180)
    yield
    _offer(0)
    namespace.helm("upgrade", RELEASE, str(CHART), *helm_values())
    all_ready(namespace)


def _offer(count: int) -> str:
    """Let one node offer GPUs, as a device plugin does; return its name."""
    node = str(json.loads(run("kubectl", "get", "nodes", "-o", "json"))["items"][0]["metadata"]["name"])
    key = RESOURCE.replace("/", "~1")
    patch = [
        {"op": "add", "path": f"/status/{part}/{key}", "value": str(count)} for part in ("capacity", "allocatable")
    ]
    run("kubectl", "patch", "node", node, "--subresource=status", "--type=json", "-p", json.dumps(patch))
    return node


def test_an_unschedulable_model_is_reported_and_served_once_a_node_has_gpus(
    mesh: Mesh, namespace: Namespace, with_a_gpu_model: None
) -> None:
    mesh.submit(
        "recipes/light-groups.yaml", "on-a-gpu",
        num_img_sets=1, num_relight_variants=1, preset="fast", seed=51, prompter_model=MODEL["name"],
    )  # fmt: skip
    waits = until("the reason is reported", lambda: _waits(mesh), 120)
    assert "Insufficient nvidia.com/gpu" in waits[0]["reason"]
    (shown,) = mesh.json("fleet", "--model", MODEL["name"])["models"]
    assert "Insufficient nvidia.com/gpu" in shown["problem"]
    assert "Insufficient nvidia.com/gpu" in " ".join(mesh.lumenmill("fleet").split())
    node = _offer(2)
    ended = mesh.wait("on-a-gpu", timeout_s=240)
    assert ended["state"] == "completed" and not ended.get("waits")
    (pod,) = namespace.pods(f"lumenmill.dev/model={MODEL['name']}")
    assert pod["spec"]["nodeName"] == node
    fleet = mesh.json("fleet", "--model", MODEL["name"])
    assert fleet["pods"][0]["num_gpus"] == 1


def _waits(mesh: Mesh) -> list[dict[str, str]]:
    waits = mesh.run("on-a-gpu").get("waits", [])
    return [wait for wait in waits if "nvidia.com/gpu" in wait.get("reason", "")]
