"""Pods, nodes, database and store fail during a run: it completes, and nothing is lost or made twice."""

import random
import time
from typing import Any

from kube import Namespace, is_ready, run, until
from mesh import ENDED, RELEASE, Mesh, all_ready

RECIPE = "recipes/light-groups.yaml"


def test_pods_are_killed_at_random_with_database_and_store(mesh: Mesh, namespace: Namespace) -> None:
    rng = random.Random(6)  # noqa: S311 - no secret
    victims = ["studio", "photometric", "grammar", "orchestrator", "postgres", "minio"]
    mesh.submit(RECIPE, "killed", num_img_sets=6, num_relight_variants=2, preset="fast", seed=11)
    killed: list[str] = []
    while mesh.state("killed") not in ENDED and len(killed) < 12:
        victim = victims[len(killed)] if len(killed) < len(victims) else rng.choice(victims)
        _kill(namespace, victim)
        killed.append(victim)
        time.sleep(rng.uniform(4, 8))
    ended = mesh.wait("killed", timeout_s=420)
    assert set(killed) >= {"studio", "orchestrator", "postgres", "minio"}, killed
    _complete(mesh, ended, num_samples=6 * 3)
    all_ready(namespace)
    verified = mesh.json("store", "verify")
    assert verified["damaged"] == [] and verified["missing"] == []


def _kill(namespace: Namespace, component: str) -> None:
    """Kill one pod at once, without SIGTERM."""
    selector = {
        "orchestrator": "app.kubernetes.io/component=orchestrator",
        "postgres": "app.kubernetes.io/component=postgres",
        "minio": "app.kubernetes.io/component=minio",
    }.get(component, f"lumenmill.dev/model={component}")
    namespace.kubectl("delete", "pod", "-l", selector, "--grace-period=0", "--force", check=False)


def _complete(mesh: Mesh, ended: Any, num_samples: int) -> None:
    assert ended["state"] == "completed", ended
    assert sum(int(step.get("num_failed", 0)) for step in ended["steps"]) == 0, ended["steps"]
    samples = mesh.samples(ended["id"])
    assert len(samples) == num_samples
    assert len({sample["id"] for sample in samples}) == num_samples


def test_a_long_job_finishes_in_the_pod_that_is_deleted(mesh: Mesh, namespace: Namespace) -> None:
    mesh.submit(RECIPE, "long", num_img_sets=1, num_relight_variants=1, preset="balanced", seed=21)
    until("a long job runs", lambda: _running(mesh, "long", "image"), 60)
    (old,) = [pod["metadata"]["name"] for pod in namespace.pods("lumenmill.dev/model=studio")]
    namespace.kubectl("delete", "pod", old, "--wait=false")
    until("another pod serves", lambda: _serving(namespace, but=old), 120)
    ended = mesh.wait("long", timeout_s=600)
    _complete(mesh, ended, num_samples=2)
    sample = next(entry for entry in mesh.samples("long") if entry["step"] == "image")
    executions = mesh.json("lineage", sample["id"])["executions"]
    image = next(execution for execution in executions if execution["step"] == "image")
    assert image["num_attempts"] == 1  # its first attempt was waited for


def _running(mesh: Mesh, run_id: str, step: str) -> bool:
    steps = mesh.run(run_id)["steps"]
    return any(entry["name"] == step and entry.get("progress", {}).get("stage") for entry in steps)


def _serving(namespace: Namespace, but: str) -> bool:
    return any(is_ready(pod) and pod["metadata"]["name"] != but for pod in namespace.pods("lumenmill.dev/model=studio"))


def test_a_run_waits_for_a_drained_node_and_reports_why(mesh: Mesh, namespace: Namespace) -> None:
    nodes = {pod["spec"]["nodeName"] for pod in namespace.pods("app.kubernetes.io/component=model")}
    mesh.submit(RECIPE, "drained", num_img_sets=3, num_relight_variants=1, preset="fast", seed=31)
    until("the run has begun", lambda: mesh.state("drained") == "running", 60)
    ours = f"--pod-selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=model"
    for node in nodes:
        run("kubectl", "drain", node, ours, "--delete-emptydir-data", "--timeout=180s", timeout_s=200)
    try:
        waits = until("the reason is reported", lambda: mesh.run("drained").get("waits"), 60)
        assert any("unschedulable" in wait["reason"] or "available" in wait["reason"] for wait in waits), waits
    finally:
        for node in nodes:
            run("kubectl", "uncordon", node)
    _complete(mesh, mesh.wait("drained", timeout_s=300), num_samples=6)
