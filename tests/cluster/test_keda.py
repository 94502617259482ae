"""From no pod to several and back, as the work comes and goes: by KEDA, and by the orchestrator where there is none."""

import json
import time

import pytest
from kube import CHART, Namespace, is_ready, run, until
from mesh import RELEASE, Mesh, all_ready, helm_values

STUDIO = {"name": "studio", "service": "studio", "minReplicas": 0, "maxReplicas": 2, "targetBacklogS": 5, "drainS": 60,
          "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "3Gi"}}}  # fmt: skip
QUICK = {"scaleDownStabilizationS": 10, "keda": {"pollingIntervalS": 2, "cooldownS": 15}}


@pytest.fixture(params=["keda", "builtin"])
def scaled_by(request: pytest.FixtureRequest, mesh: Mesh, namespace: Namespace):
    if request.param == "keda" and "scaledobjects" not in run("kubectl", "api-resources", "-o", "name"):
        pytest.skip("KEDA is not installed on this cluster")
    models = json.loads(namespace.helm("get", "values", RELEASE, "--all", "-o", "json"))["models"]
    models = [STUDIO if model["name"] == "studio" else model for model in models]
    options = [
        "--set-json",
        f"models={json.dumps(models)}",
        "--set-json",
        f"scaling={json.dumps({**QUICK, 'by': request.param})}",
    ]
    namespace.helm("upgrade", RELEASE, str(CHART), *helm_values(), *options)
    all_ready(namespace)
    yield request.param
    namespace.helm("upgrade", RELEASE, str(CHART), *helm_values())
    namespace.kubectl("scale", "deployment", f"{RELEASE}-studio", "--replicas=1")
    all_ready(namespace)


def test_a_family_goes_from_none_to_several_and_back(
    mesh: Mesh, namespace: Namespace, scaled_by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    until("no pod is kept without work", lambda: not _pods(namespace), 180)
    assert "studio" in {model["name"] for model in mesh.json("models")}
    run_id = f"scaled-by-{scaled_by}"
    started_s = time.monotonic()
    seed = 61 if scaled_by == "keda" else 62
    mesh.submit("recipes/light-groups.yaml", run_id, num_img_sets=6, num_relight_variants=2, preset="fast", seed=seed)
    until("a pod is asked for", lambda: _pods(namespace), 120, every_s=0.2)
    asked_s = time.monotonic() - started_s
    until("it serves", lambda: any(is_ready(pod) for pod in _pods(namespace)), 120, every_s=0.2)
    ready_s = time.monotonic() - started_s
    until("more work asks for another", lambda: len(_pods(namespace)) == 2, 120, every_s=0.2)
    ended = mesh.wait(run_id, timeout_s=420)
    assert ended["state"] == "RUN_STATE_COMPLETED"
    assert sum(int(node.get("num_failed", 0)) for node in ended["nodes"]) == 0
    idle_s = time.monotonic()
    until("the last pod goes", lambda: not _pods(namespace), 240)
    gone_s = time.monotonic() - idle_s
    told = (
        f"first pod asked for after {asked_s:.1f} s, serving after {ready_s:.1f} s, none {gone_s:.0f} s after the work"
    )
    with capsys.disabled():
        print(f"\nscaled by {scaled_by}: {told}")  # noqa: T201 - the figures of docs/cluster.md


def _pods(namespace: Namespace):
    return [pod for pod in namespace.pods("lumenmill.dev/model=studio") if "deletionTimestamp" not in pod["metadata"]]
