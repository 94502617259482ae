"""KEDA scales a model from no pod to several and back, by the work there is."""

import json
import time
from typing import Any

import pytest
from kube import CHART, Namespace, is_ready, run, until
from mesh import RELEASE, Mesh, all_ready, helm_values

STUDIO = {"name": "studio", "service": "studio", "minReplicas": 0, "maxReplicas": 2, "targetBacklogS": 5, "drainS": 60,
          "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "3Gi"}}}  # fmt: skip
SCALING = {"by": "keda", "scaleDownStabilizationS": 10, "keda": {"pollingIntervalS": 2, "cooldownS": 15}}


@pytest.fixture
def scaled(mesh: Mesh, namespace: Namespace):
    if "scaledobjects" not in run("kubectl", "api-resources", "-o", "name"):
        pytest.skip("KEDA is not installed on this cluster")
    models = json.loads(namespace.helm("get", "values", RELEASE, "--all", "-o", "json"))["models"]
    models = [STUDIO if model["name"] == "studio" else model for model in models]
    options = [
        "--set-json",
        f"models={json.dumps(models)}",
        "--set-json",
        f"scaling={json.dumps(SCALING)}",
    ]
    namespace.helm("upgrade", RELEASE, str(CHART), *helm_values(), *options)
    all_ready(namespace)
    yield
    namespace.helm("upgrade", RELEASE, str(CHART), *helm_values())
    namespace.kubectl("scale", "deployment", f"{RELEASE}-studio", "--replicas=1")
    all_ready(namespace)


def test_a_model_is_scaled_from_zero_to_several_pods_and_back(
    mesh: Mesh, namespace: Namespace, scaled: None, capsys: pytest.CaptureFixture[str]
) -> None:
    until("there is no pod without work", lambda: not _pods(namespace), 180)
    assert "studio" in {model["name"] for model in mesh.json("models")}
    started_s = time.monotonic()
    mesh.submit("recipes/light-groups.yaml", "scaled", num_img_sets=6, num_relight_variants=2, preset="fast", seed=61)
    until("a pod is requested", lambda: _pods(namespace), 120, every_s=0.2)
    requested_s = time.monotonic() - started_s
    until("it serves", lambda: any(is_ready(pod) for pod in _pods(namespace)), 120, every_s=0.2)
    ready_s = time.monotonic() - started_s
    until("more work requests another pod", lambda: len(_pods(namespace)) == 2, 120, every_s=0.2)
    ended = mesh.wait("scaled", timeout_s=420)
    assert ended["state"] == "completed"
    assert sum(int(step.get("num_failed", 0)) for step in ended["steps"]) == 0
    idle_s = time.monotonic()
    until("the last pod is removed", lambda: not _pods(namespace), 240)
    removed_s = time.monotonic() - idle_s
    with capsys.disabled():
        print(  # noqa: T201 - the figures of docs/cluster.md
            f"\nfirst pod requested after {requested_s:.1f} s, serving after {ready_s:.1f} s, "
            f"last one removed {removed_s:.0f} s after the work"
        )


def _pods(namespace: Namespace) -> list[Any]:
    return [pod for pod in namespace.pods("lumenmill.dev/model=studio") if "deletionTimestamp" not in pod["metadata"]]
