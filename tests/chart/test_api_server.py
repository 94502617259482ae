"""Install, upgrade and uninstall on a real API server. Only objects are checked, no pod needs to run."""

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
_SCALED = ("--set-json", f"models={_STUDIO}", "--set", "scaling.by=keda")
_NO_CUSTOM_KINDS = "scaling.by=none,monitoring.podMonitor.enabled=false,monitoring.rules.enabled=false"

# The kinds of KEDA that the chart uses, for clusters without it: nothing acts on them.
_KEDA_KINDS = {"scaledobjects": "ScaledObject", "triggerauthentications": "TriggerAuthentication"}

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
def _keda_kinds() -> Iterator[None]:
    """KEDA's custom resources: the real ones when it is installed, else definitions without a schema."""
    if "scaledobjects" in _kubectl("api-resources", "-o", "name"):
        yield
        return
    for plural, kind in _KEDA_KINDS.items():
        _create(_custom_kind(plural, kind))
    names = [f"{plural}.keda.sh" for plural in _KEDA_KINDS]
    _kubectl("wait", "--for=condition=Established", "customresourcedefinition", *names, "--timeout=60s")
    yield
    _kubectl("delete", "customresourcedefinition", *names, "--timeout=100s")


def _custom_kind(plural: str, kind: str) -> Object:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.keda.sh"},
        "spec": {
            "group": "keda.sh",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture
def _namespace() -> Iterator[None]:
    """A namespace that enforces Pod Security `restricted`."""
    _kubectl("create", "namespace", _NAMESPACE)
    _kubectl("label", "namespace", _NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield
    helm("uninstall", "lumenmill", "-n", _NAMESPACE)
    _kubectl("delete", "namespace", _NAMESPACE, "--timeout=100s")


@pytest.mark.usefixtures("_keda_kinds", "_namespace")
def test_upgrades_keep_replicas_and_secrets() -> None:
    _release("install", *_SCALED)
    secrets = _get("secrets")
    assert secrets.keys() >= {"lumenmill-ca", "lumenmill-client-tls", "lumenmill-minio", "lumenmill-token"}
    assert _get("deployments")["lumenmill-studio"]["spec"]["replicas"] == 1

    _kubectl("scale", "deployment/lumenmill-studio", "--replicas=4")
    _release("upgrade", *_SCALED, "--set", "logLevel=DEBUG")
    after = _get("deployments")["lumenmill-studio"]
    assert after["spec"]["replicas"] == 4  # chosen by a scaler meanwhile
    assert "DEBUG" in str(after["spec"]["template"])
    assert {name: found["data"] for name, found in _get("secrets").items()} == {
        name: found["data"] for name, found in secrets.items()
    }

    two = json.dumps([*json.loads(_STUDIO), {"name": "grammar", "service": "prompter"}])
    _release("upgrade", "--set-json", f"models={two}", "--set", "scaling.by=keda")
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
    _release("install", *_SCALED)  # uses the kept Secrets again
    assert _get("secrets")["lumenmill-token"]["data"] == secrets["lumenmill-token"]["data"]


@pytest.mark.usefixtures("_keda_kinds", "_namespace")
def test_a_rollback_restores_no_old_secret() -> None:
    """Rotated and renewed Secrets are kept; everything else is rolled back."""
    _release("install", *_SCALED, "--set", "database.kind=chart")
    before = _get("secrets")
    rotated = base64.b64encode(b"rotated").decode()
    _kubectl("patch", "secret", "lumenmill-token", "-p", json.dumps({"data": {"token": rotated}}))
    _kubectl("delete", "secret", "lumenmill-ca")
    _release("upgrade", *_SCALED, "--set", "database.kind=chart,logLevel=DEBUG")
    after = _get("secrets")
    assert after["lumenmill-token"]["data"]["token"] == rotated
    assert after["lumenmill-studio-tls"]["data"]["ca.crt"] != before["lumenmill-studio-tls"]["data"]["ca.crt"]
    for name in ("lumenmill-minio", "lumenmill-postgres", "lumenmill-token"):  # never deleted, not even for a moment
        assert after[name]["metadata"]["uid"] == before[name]["metadata"]["uid"], name

    assert helm("rollback", "lumenmill", "1", "-n", _NAMESPACE).returncode == 0
    assert {name: found["data"] for name, found in _get("secrets").items()} == {
        name: found["data"] for name, found in after.items()
    }
    assert "DEBUG" not in str(_get("deployments")["lumenmill-studio"]["spec"]["template"])
    _release("upgrade", *_SCALED, "--set", "database.kind=chart")
    assert _get("secrets")["lumenmill-token"]["metadata"]["uid"] == before["lumenmill-token"]["metadata"]["uid"]


def _wait_for_pods(names: set[str]) -> None:
    """Wait for a pod whose name begins with each of these; Pod Security prevents forbidden ones."""
    deadline_s = time.monotonic() + 60
    while missing := {name for name in names if not any(pod.startswith(name) for pod in _get("pods"))}:
        assert time.monotonic() < deadline_s, f"{missing}\n{_kubectl('get', 'events')}"
        time.sleep(0.5)


@pytest.mark.usefixtures("_namespace")
def test_an_embedded_mesh_is_upgraded_to_gpus_and_external_servers() -> None:
    _release("install")
    _release("upgrade", "--set", _NO_CUSTOM_KINDS, values="gpu")  # from SQLite and MinIO to external servers
    assert _get("statefulsets").keys() == {"lumenmill-orchestrator"}
    kept = {"lumenmill-orchestrator-data", "lumenmill-minio-data"}  # data is kept until it is deleted manually
    assert _get("persistentvolumeclaims").keys() == kept


@pytest.mark.usefixtures("_namespace")
def test_a_restricted_namespace_admits_every_pod() -> None:
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
def test_a_restricted_namespace_admits_the_models_of_the_full_recipe() -> None:
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
