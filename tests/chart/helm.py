"""Render the chart with the real `helm`, and find what is in the result."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "helm" / "lumenmill"
VALUES = {name: CHART / f"values-{name}.yaml" for name in ("embedded", "gpu")}
KUBE_VERSION = "1.34.0"
"""Version for which manifests are rendered and validated: the first with all kinds that the chart may use."""
RELEASE, NAMESPACE = "mill", "lab"

Object = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm; skip the test when it is not installed."""
    binary = shutil.which("helm")
    if binary is None:
        pytest.skip("helm is not on the path")
    return subprocess.run([binary, *arguments], check=False, capture_output=True, text=True, timeout=60)


def _options(values: str | None, overrides: str) -> list[str]:
    """Return options that apply the overrides as another values file would: merged by key, lists replaced."""
    files = ["--values", str(VALUES[values])] if values else []
    sets = [
        part for key, value in json.loads(overrides).items() for part in ("--set-json", f"{key}={json.dumps(value)}")
    ]
    return [*files, *sets]


def _rendered(values: str | None, overrides: str, *more: str, chart: Path = CHART) -> list[Object]:
    done = helm(
        "template", RELEASE, str(chart), "--namespace", NAMESPACE, "--kube-version", KUBE_VERSION,
        *_options(values, overrides), *more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = yaml.load_all(done.stdout, yaml.CSafeLoader)
    return [manifest for manifest in found if manifest]


_shared = cache(_rendered)


def _as_json(overrides: dict[str, Any]) -> str:
    return json.dumps({key.replace("__", "."): value for key, value in overrides.items()})


def render(values: str | None = "embedded", **overrides: Any) -> list[Object]:
    """Return all objects with a values file of the chart; `tls__mode="none"` is tls.mode: none. Do not modify them."""
    return _shared(values, _as_json(overrides))


def render_file(file: Path) -> list[Object]:
    """Return the objects with another values file on top of the embedded one."""
    return _rendered("embedded", "{}", "--values", str(file))


def render_next(folder: Path, values: str, **overrides: Any) -> list[Object]:
    """Return the objects of a next version of the chart, which is copied into the folder."""
    chart = folder / "lumenmill"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": "99.0.0", "appVersion": "99.0.0"}))
    return _rendered(values, _as_json(overrides), chart=chart)


def render_on(kubeconfig: Path, values: str | None = "embedded", **overrides: Any) -> list[Object]:
    """Return the objects as an upgrade renders them, which looks up objects of the cluster."""
    on_cluster = ("--dry-run=server", "--is-upgrade", "--kubeconfig", str(kubeconfig))
    return _rendered(values, _as_json(overrides), *on_cluster)


def notes(folder: Path, values: str, **overrides: Any) -> str:
    """Return NOTES.txt, rendered by a copy of the chart in the folder, since `helm template` does not print it."""
    shutil.copytree(CHART, folder)
    (folder / "templates" / "notes.yaml").write_text('notes: {{ include "lumenmill/templates/NOTES.txt" . | toJson }}')
    objects = _rendered(values, _as_json(overrides), chart=folder)
    return next(found["notes"] for found in objects if "notes" in found)


def refusal(values: str | None = "embedded", **overrides: Any) -> str:
    """Return the error of helm for values that it must refuse."""
    options = _options(values, _as_json(overrides))
    done = helm("template", RELEASE, str(CHART), "--kube-version", KUBE_VERSION, *options)
    assert done.returncode != 0, "helm accepts these values"
    return done.stderr


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """Return the objects of one kind, by name without the release's."""
    prefix = f"{RELEASE}-lumenmill"
    return {
        found["metadata"]["name"].removeprefix(prefix).removeprefix("-"): found
        for found in objects
        if found["kind"] == kind
    }


def export_job(objects: list[Object]) -> Object | None:
    """Return the manifest from which the orchestrator creates export Jobs."""
    text = of_kind(objects, "ConfigMap")["orchestrator"]["data"].get("export-job.yaml")
    return yaml.safe_load(text) if text else None


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Yield name and pod (metadata and spec) of every object that creates pods."""
    job = export_job(objects)
    for found in [*objects, *([job] if job else [])]:
        name = f"{found['kind']} {found['metadata'].get('name', 'export')}"
        if found["kind"] == "Pod":
            yield name, found
        elif found["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield name, found["spec"]["template"]
        elif found["kind"] == "CronJob":
            yield name, found["spec"]["jobTemplate"]["spec"]["template"]


def containers(pod: Object) -> list[Object]:
    """Return all containers of a pod, init containers included."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def environment(container: Object) -> dict[str, str]:
    """Return the environment variables of a container that have plain values."""
    return {entry["name"]: entry["value"] for entry in container.get("env", []) if "value" in entry}
