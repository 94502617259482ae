"""Charts rendered by the real `helm`, and what is in them."""

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
"""What manifests are checked against; the first with all kinds that the chart may use."""
RELEASE, NAMESPACE = "mill", "lab"

Object = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs helm; skips the test where there is none."""
    binary = shutil.which("helm")
    if binary is None:
        pytest.skip("there is no helm on the path")
    return subprocess.run([binary, *arguments], check=False, capture_output=True, text=True, timeout=60)


def _options(values: str | None, overrides: str) -> list[str]:
    """Overrides come as a values file of their own would: merged by key, lists replaced."""
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
    """Every object of the chart with one of its values files; `tls__mode="none"` is tls.mode: none. They are shared."""
    return _shared(values, _as_json(overrides))


def render_file(file: Path) -> list[Object]:
    """The same with a values file of somebody's own on top of the embedded ones."""
    return _rendered("embedded", "{}", "--values", str(file))


def render_next(folder: Path, values: str, **overrides: Any) -> list[Object]:
    """The same by the chart's next version, of which a copy is put into the folder."""
    chart = folder / "lumenmill"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": "99.0.0", "appVersion": "99.0.0"}))
    return _rendered(values, _as_json(overrides), chart=chart)


def render_on(kubeconfig: Path, values: str | None = "embedded", **overrides: Any) -> list[Object]:
    """The same as an upgrade renders it, which looks up what the cluster has."""
    on_cluster = ("--dry-run=server", "--is-upgrade", "--kubeconfig", str(kubeconfig))
    return _rendered(values, _as_json(overrides), *on_cluster)


def notes(folder: Path, values: str, **overrides: Any) -> str:
    """What helm says after installing, rendered by a copy of the chart in the folder: `helm template` leaves it out."""
    shutil.copytree(CHART, folder)
    (folder / "templates" / "told.yaml").write_text('told: {{ include "lumenmill/templates/NOTES.txt" . | toJson }}')
    objects = _rendered(values, _as_json(overrides), chart=folder)
    return next(found["told"] for found in objects if "told" in found)


def refusal(values: str | None = "embedded", **overrides: Any) -> str:
    """What helm says to values that it must refuse."""
    options = _options(values, _as_json(overrides))
    done = helm("template", RELEASE, str(CHART), "--kube-version", KUBE_VERSION, *options)
    assert done.returncode != 0, "helm takes these values"
    return done.stderr


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """The objects of one kind, by name without the release's."""
    prefix = f"{RELEASE}-lumenmill"
    return {
        found["metadata"]["name"].removeprefix(prefix).removeprefix("-"): found
        for found in objects
        if found["kind"] == kind
    }


def export_job(objects: list[Object]) -> Object | None:
    """The manifest that the orchestrator makes export Jobs of."""
    text = of_kind(objects, "ConfigMap")["orchestrator"]["data"].get("export-job.yaml")
    return yaml.safe_load(text) if text else None


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod (metadata and spec) of everything that makes pods."""
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
    """All containers of a pod, those of its start included."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def environment(container: Object) -> dict[str, str]:
    """The plain variables of a container."""
    return {entry["name"]: entry["value"] for entry in container.get("env", []) if "value" in entry}
