"""Installed, upgraded and uninstalled against a real API server. No pod needs to run: objects are what is looked at."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest
import yaml

from .helm import CHART, VALUES, Object, helm

_NAMESPACE = "lumenmill-chart"
_STUDIO = json.dumps([{"name": "studio", "service": "studio", "maxReplicas": 5}])
_SCALED = ("--set-json", f"models={_STUDIO}", "--set", "scaling.by=builtin")
_NO_CUSTOM_KINDS = "scaling.by=none,monitoring.podMonitor.enabled=false,monitoring.rules.enabled=false"

pytestmark = pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="needs a cluster: KUBECONFIG is not set")


def _kubectl(*arguments: str) -> str:
    done = subprocess.run(
        ["kubectl", "-n", _NAMESPACE, *arguments], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _get(kind: str) -> dict[str, Object]:
    items = json.loads(_kubectl("get", kind, "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in items if "helm.sh" not in item.get("type", "")}


def _release(verb: str, *options: str, values: str = "embedded") -> None:
    done = helm(verb, "lumenmill", str(CHART), "-n", _NAMESPACE, "--values", str(VALUES[values]), *options)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def _namespace() -> Iterator[None]:
    """A namespace that lets no pod in that is not restricted."""
    _kubectl("create", "namespace", _NAMESPACE)
    _kubectl("label", "namespace", _NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield
    helm("uninstall", "lumenmill", "-n", _NAMESPACE)
    _kubectl("delete", "namespace", _NAMESPACE, "--timeout=100s")


@pytest.mark.usefixtures("_namespace")
def test_upgrades_keep_what_must_be_kept() -> None:
    _release("install", *_SCALED)
    secrets = _get("secrets")
    assert secrets.keys() >= {"lumenmill-ca", "lumenmill-client-tls", "lumenmill-minio", "lumenmill-token"}
    assert _get("deployments")["lumenmill-studio"]["spec"]["replicas"] == 1

    _kubectl("scale", "deployment/lumenmill-studio", "--replicas=4")
    _release("upgrade", *_SCALED, "--set", "logLevel=DEBUG")
    after = _get("deployments")["lumenmill-studio"]
    assert after["spec"]["replicas"] == 4  # what a scaler chose in mid-run
    assert "DEBUG" in str(after["spec"]["template"])
    assert {name: found["data"] for name, found in _get("secrets").items()} == {
        name: found["data"] for name, found in secrets.items()
    }

    two = json.dumps([*json.loads(_STUDIO), {"name": "grammar", "service": "prompter"}])
    _release("upgrade", "--set-json", f"models={two}", "--set", "scaling.by=builtin")
    more = _get("secrets")
    assert more.keys() - secrets.keys() == {"lumenmill-grammar-tls"}
    assert more["lumenmill-grammar-tls"]["data"]["ca.crt"] == secrets["lumenmill-ca"]["data"]["tls.crt"]

    _release("upgrade", *_SCALED, "--set", "tls.generated.renewal=now")
    renewed = _get("secrets")
    assert renewed["lumenmill-studio-tls"]["data"]["tls.crt"] != secrets["lumenmill-studio-tls"]["data"]["tls.crt"]
    assert renewed["lumenmill-ca"]["data"] == secrets["lumenmill-ca"]["data"]

    assert helm("uninstall", "lumenmill", "-n", _NAMESPACE).returncode == 0
    assert _get("secrets").keys() >= secrets.keys()
    assert not _get("deployments")
    _release("install", *_SCALED)  # what was kept is taken up again
    assert _get("secrets")["lumenmill-token"]["data"] == secrets["lumenmill-token"]["data"]


@pytest.mark.usefixtures("_namespace")
def test_a_rollback_brings_no_old_secret_back() -> None:
    """What was rotated because it had leaked, or renewed because it ends, stays so; only the rest goes back."""
    _release("install", *_SCALED, "--set", "database.kind=chart")
    before = _get("secrets")
    rotated = base64.b64encode(b"rotated").decode()
    _kubectl("patch", "secret", "lumenmill-token", "-p", json.dumps({"data": {"token": rotated}}))
    _kubectl("delete", "secret", "lumenmill-ca")
    _release("upgrade", *_SCALED, "--set", "database.kind=chart,logLevel=DEBUG")
    after = _get("secrets")
    assert after["lumenmill-token"]["data"]["token"] == rotated
    assert after["lumenmill-studio-tls"]["data"]["ca.crt"] != before["lumenmill-studio-tls"]["data"]["ca.crt"]
    for name in ("lumenmill-minio", "lumenmill-postgres", "lumenmill-token"):  # never away, not even for a moment
        assert after[name]["metadata"]["uid"] == before[name]["metadata"]["uid"], name

    assert helm("rollback", "lumenmill", "1", "-n", _NAMESPACE).returncode == 0
    assert {name: found["data"] for name, found in _get("secrets").items()} == {
        name: found["data"] for name, found in after.items()
    }
    assert "DEBUG" not in str(_get("deployments")["lumenmill-studio"]["spec"]["template"])
    _release("upgrade", *_SCALED, "--set", "database.kind=chart")
    assert _get("secrets")["lumenmill-token"]["metadata"]["uid"] == before["lumenmill-token"]["metadata"]["uid"]


def _wait_for_pods(names: set[str]) -> None:
    """Until a pod of each name's beginning is there; one that Pod Security refuses never is."""
    give_up_s = time.monotonic() + 60
    while missing := {name for name in names if not any(pod.startswith(name) for pod in _get("pods"))}:
        assert time.monotonic() < give_up_s, f"{missing}\n{_kubectl('get', 'events')}"
        time.sleep(0.5)


@pytest.mark.usefixtures("_namespace")
def test_a_mesh_that_was_tried_out_grows_up() -> None:
    _release("install")
    _release("upgrade", "--set", _NO_CUSTOM_KINDS, values="gpu")  # SQLite and MinIO to servers of one's own
    assert _get("statefulsets").keys() == {"lumenmill-orchestrator"}
    kept = {"lumenmill-orchestrator-data", "lumenmill-minio-data"}  # what was made stays until somebody deletes it
    assert _get("persistentvolumeclaims").keys() == kept


@pytest.mark.usefixtures("_namespace")
def test_a_namespace_that_enforces_restricted_lets_every_pod_in() -> None:
    _release("install", "--set", "database.kind=chart,exports.asJobs=true")
    _kubectl("create", "job", "--from", "cronjob/lumenmill-store-gc", "lumenmill-store-gc-now")
    job = yaml.safe_load(_get("configmaps")["lumenmill-orchestrator"]["data"]["export-job.yaml"])
    job["metadata"]["name"] = "lumenmill-export-1"
    _create(job)
    [test] = [found for found in _hooks() if found["kind"] == "Pod"]
    _create(test)
    parts = [
        "orchestrator-0",
        "grammar",
        "studio",
        "photometric",
        "minio-0",
        "postgres-0",
        "store-gc-now",
        "export-1",
        "test",
    ]
    _wait_for_pods({f"lumenmill-{part}" for part in parts})


@pytest.mark.usefixtures("_namespace")
def test_so_it_does_with_the_models_of_the_full_recipe() -> None:
    _release("install", "--set", _NO_CUSTOM_KINDS, values="gpu")
    models = {name for name, found in _get("deployments").items() if found["spec"]["replicas"]}
    assert len(models) == 8
    _wait_for_pods({*models, "lumenmill-orchestrator-0", "lumenmill-orchestrator-1"})


def _create(manifest: Object) -> None:
    done = subprocess.run(
        ["kubectl", "-n", _NAMESPACE, "create", "-f", "-"],
        check=False, input=json.dumps(manifest), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _hooks() -> list[Object]:
    done = helm("get", "hooks", "lumenmill", "-n", _NAMESPACE)
    return [found for found in yaml.safe_load_all(done.stdout) if found]
