"""From installation to a dataset."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet
from kube import ROOT, Namespace
from mesh import RELEASE, Mesh

SMALL = {"num_img_sets": 2, "num_relight_variants": 2, "num_clip_sets": 0}


def test_every_pod_is_ready_unprivileged_and_has_a_read_only_root(mesh: Mesh, namespace: Namespace) -> None:
    names = {entry["name"] for entry in mesh.json("models") if entry["ready"]}
    assert names == {"grammar", "studio", "photometric"}
    inspected = set()
    for pod in namespace.pods(f"app.kubernetes.io/instance={RELEASE}"):
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        if component in {"minio", "job"}:  # MinIO's image has no shell; the pods of Jobs have ended
            continue
        script = "id -u; touch /x 2>&1; true"
        user, output = namespace.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", script).split("\n", 1)
        assert int(user) > 0, component
        assert "Read-only file system" in output, component
        inspected.add(component)
    assert inspected == {"orchestrator", "model", "postgres"}


def test_the_samples_equal_those_of_a_local_mesh(mesh: Mesh, tmp_path: Path) -> None:
    settings = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    mesh.lumenmill("run", "recipes/demo.yaml", "--run-id", "first-day", *settings)
    local = [sys.executable, "-m", "lumenmill_client.command", "--home", str(tmp_path / "home")]

    def on_this_machine(*arguments: str) -> str:
        done = subprocess.run([*local, *arguments], check=True, capture_output=True, text=True, cwd=ROOT, timeout=600)
        return done.stdout

    on_this_machine("up")
    try:
        on_this_machine("run", "recipes/demo.yaml", "--run-id", "first-day", *settings)
        expected = digests(json.loads(on_this_machine("samples", "first-day", "--json")))
    finally:
        on_this_machine("down")
    found = digests(mesh.samples("first-day"))
    assert len(expected) >= 6
    assert found == expected


def digests(samples: Any) -> set[tuple[str, ...]]:
    """Return the media of every sample as role and digest."""
    return {
        tuple(sorted(f"{role}:{artifact['sha256']}" for role, artifact in sample["media"].items()))
        for sample in samples
    }


def test_an_export_runs_in_a_job(mesh: Mesh, namespace: Namespace, tmp_path: Path) -> None:
    mesh.lumenmill("export", "first-day", "--to", str(tmp_path / "dataset"))
    rows = sum(pyarrow.parquet.read_metadata(file).num_rows for file in (tmp_path / "dataset").rglob("*.parquet"))
    assert rows >= 6
    jobs = namespace.get("jobs", "-l", "app.kubernetes.io/component=job")["items"]
    exports = [job for job in jobs if "export" in job["metadata"]["name"]]
    assert len(exports) == 1 and exports[0]["status"].get("succeeded") == 1
    assert exports[0]["metadata"]["ownerReferences"][0]["name"] == f"{RELEASE}-orchestrator"
    assert exports[0]["spec"]["ttlSecondsAfterFinished"] > 0


def test_helm_test_passes_and_there_are_notes(mesh: Mesh, namespace: Namespace) -> None:
    output = namespace.helm("test", RELEASE)
    assert "Phase:          Succeeded" in output
    notes = namespace.helm("get", "notes", RELEASE)
    assert "kubectl" in notes and "lumenmill" in notes


def test_a_client_without_token_or_certificate_is_refused(mesh: Mesh) -> None:
    for missing in ("LUMENMILL_TOKEN_FILE", "LUMENMILL_TLS_CA_FILE"):
        environment = {name: value for name, value in mesh.environment.items() if name != missing}
        done = subprocess.run(
            [sys.executable, "-m", "lumenmill_client.command", "models"],
            check=False, capture_output=True, text=True, env=environment, timeout=60, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr


def test_scheduled_garbage_collection_keeps_samples(mesh: Mesh, namespace: Namespace) -> None:
    namespace.kubectl("create", "job", "--from", f"cronjob/{RELEASE}-store-gc", "collect-now")
    namespace.kubectl("wait", "--for=condition=Complete", "job/collect-now", "--timeout=120s", timeout_s=130)
    assert mesh.json("store", "verify")["damaged"] == []


def test_the_fleet_shows_every_pod(mesh: Mesh, namespace: Namespace) -> None:
    fleet = mesh.json("fleet")
    assert fleet["from_kubernetes"]
    ready = {pod.get("model") for pod in fleet["pods"] if pod["state"] == "ready"}
    assert {"grammar", "studio", "photometric"} <= ready
    output = mesh.lumenmill("fleet")
    assert "studio" in output
