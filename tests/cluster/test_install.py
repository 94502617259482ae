"""From nothing to a dataset: what an operator and a data engineer do on the first day."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet
from kube import ROOT, Namespace
from mesh import RELEASE, Mesh

SMALL = {"num_img_sets": 2, "num_relight_variants": 2, "num_clip_sets": 0}


def test_everything_is_ready_and_runs_as_nobody_on_a_root_that_nobody_writes(mesh: Mesh, namespace: Namespace) -> None:
    names = {entry["name"] for entry in mesh.json("models") if entry["ready"]}
    assert names == {"grammar", "studio", "photometric"}
    looked_into = set()
    for pod in namespace.pods(f"app.kubernetes.io/instance={RELEASE}"):
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        if component in {"minio", "job"}:  # MinIO's image has no shell; pods of jobs have ended
            continue
        script = "id -u; touch /x 2>&1; true"
        user, told = namespace.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", script).split("\n", 1)
        assert int(user) > 0, component
        assert "Read-only file system" in told, component
        looked_into.add(component)
    assert looked_into == {"orchestrator", "model", "postgres"}


def test_the_same_samples_as_the_mesh_of_one_machine(mesh: Mesh, tmp_path: Path) -> None:
    settings = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    mesh.lumenmill("run", "recipes/demo.yaml", "--run-id", "first-day", *settings)
    here = [sys.executable, "-m", "lumenmill_client.command", "--home", str(tmp_path / "home")]

    def alone(*arguments: str) -> str:
        done = subprocess.run([*here, *arguments], check=True, capture_output=True, text=True, cwd=ROOT, timeout=600)
        return done.stdout

    alone("up")
    try:
        alone("run", "recipes/demo.yaml", "--run-id", "first-day", *settings)
        expected = digests(json.loads(alone("samples", "first-day", "--json")))
    finally:
        alone("down")
    found = digests(mesh.samples("first-day"))
    assert len(expected) >= 6
    assert found == expected


def digests(samples: Any) -> set[tuple[str, ...]]:
    """The media of every sample, by role and content."""
    return {
        tuple(sorted(f"{role}:{artifact['sha256']}" for role, artifact in sample["media"].items()))
        for sample in samples
    }


def test_the_dataset_comes_out_written_by_a_job_of_its_own(mesh: Mesh, namespace: Namespace, tmp_path: Path) -> None:
    mesh.lumenmill("export", "first-day", "--to", str(tmp_path / "dataset"))
    rows = sum(pyarrow.parquet.read_metadata(file).num_rows for file in (tmp_path / "dataset").rglob("*.parquet"))
    assert rows >= 6
    jobs = namespace.get("jobs", "-l", "app.kubernetes.io/component=job")["items"]
    written = [job for job in jobs if "export" in job["metadata"]["name"]]
    assert len(written) == 1 and written[0]["status"].get("succeeded") == 1
    assert written[0]["metadata"]["ownerReferences"][0]["name"] == f"{RELEASE}-orchestrator"
    assert written[0]["spec"]["ttlSecondsAfterFinished"] > 0


def test_helm_test_passes_and_the_notes_name_commands_that_exist(mesh: Mesh, namespace: Namespace) -> None:
    told = namespace.helm("test", RELEASE)
    assert "Phase:          Succeeded" in told
    notes = namespace.helm("get", "notes", RELEASE)
    assert "kubectl" in notes and "lumenmill" in notes


def test_a_caller_without_the_token_or_the_certificate_is_turned_away(mesh: Mesh) -> None:
    for missing in ("LUMENMILL_TOKEN_FILE", "LUMENMILL_TLS_CA_FILE"):
        environment = {name: value for name, value in mesh.environment.items() if name != missing}
        done = subprocess.run(
            [sys.executable, "-m", "lumenmill_client.command", "models"],
            check=False, capture_output=True, text=True, env=environment, timeout=60, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr


def test_garbage_is_collected_by_schedule_without_touching_samples(mesh: Mesh, namespace: Namespace) -> None:
    namespace.kubectl("create", "job", "--from", f"cronjob/{RELEASE}-store-gc", "collect-now")
    namespace.kubectl("wait", "--for=condition=Complete", "job/collect-now", "--timeout=120s", timeout_s=130)
    assert mesh.json("store", "verify")["damaged"] == []


def test_the_fleet_shows_every_pod(mesh: Mesh, namespace: Namespace) -> None:
    fleet = mesh.json("fleet")
    assert fleet["from_kubernetes"]
    ready = {pod.get("model") for pod in fleet["pods"] if pod["state"] == "FLEET_POD_STATE_READY"}
    assert {"grammar", "studio", "photometric"} <= ready
    told = mesh.lumenmill("fleet")
    assert "studio" in told
