"""Rules for every manifest of every case in cases.py."""

import json
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest

from .cases import CASES, objects_of
from .helm import (
    KUBE_VERSION,
    NAMESPACE,
    RELEASE,
    Object,
    containers,
    environment,
    export_job,
    pods,
    render,
    render_next,
)

_CUSTOM = {
    "keda.sh": {"ScaledObject", "TriggerAuthentication"},
    "cert-manager.io": {"Issuer", "Certificate"},
    "monitoring.coreos.com": {"PodMonitor", "PrometheusRule"},
}
"""Custom resources, whose schemas the validator does not have."""
_VOLUMES_OF_RESTRICTED = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip

pytestmark = pytest.mark.parametrize("case", CASES)


def test_every_manifest_is_valid(case: str) -> None:
    objects = objects_of(case)
    job = export_job(objects)
    num_checked = 0
    for found in [*objects, *([job | {"metadata": job["metadata"] | {"name": "export"}}] if job else [])]:
        if found["kind"] in _CUSTOM.get(found["apiVersion"].partition("/")[0], set()):
            continue
        _validate(json.dumps(found, sort_keys=True))
        num_checked += 1
    assert num_checked > 15


@cache
def _validate(manifest: str) -> None:
    kubernetes_validate.validate(json.loads(manifest), KUBE_VERSION.rpartition(".")[0], strict=True)


def test_names_are_unique(case: str) -> None:
    names = [(found["kind"], found["metadata"]["name"]) for found in objects_of(case)]
    assert len(set(names)) == len(names)


def test_every_object_has_the_standard_labels(case: str) -> None:
    for found in objects_of(case):
        labels = found["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == labels["app.kubernetes.io/part-of"] == "lumenmill"
        assert labels["app.kubernetes.io/instance"] == RELEASE
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/component"]


def test_a_new_version_of_the_chart_restarts_no_pod_with_an_unchanged_image(case: str, tmp_path: Path) -> None:
    values, overrides = CASES[case]
    overrides = overrides | {"image__tag": "1.2.3"}
    now = {name: pod for name, pod in pods(render(values, **overrides)) if not name.startswith("Pod ")}
    then = {name: pod for name, pod in pods(render_next(tmp_path, values, **overrides)) if not name.startswith("Pod ")}
    assert now == then
    assert all(pod["metadata"]["labels"]["app.kubernetes.io/instance"] == RELEASE for pod in now.values())


def test_a_passed_helm_test_shows_its_log_and_is_deleted(case: str) -> None:
    hooks = [found["metadata"] for found in objects_of(case) if found["metadata"]["name"] == "mill-lumenmill-test"]
    assert len(hooks) == 2
    for hook in hooks:
        assert hook["annotations"]["helm.sh/hook"] == "test"
        # A failed one stays for inspection until the next test.
        assert hook["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    shown = [hook["annotations"].get("helm.sh/hook-output-log-policy") for hook in hooks]
    assert shown == [None, "hook-succeeded,hook-failed"]


def test_sigterm_reaches_every_process(case: str) -> None:
    """Python as process 1 would ignore it. Images start with tini, and a `command` replaces that."""
    for name, pod in pods(objects_of(case)):
        for container in containers(pod):
            if "lumenmill" in container["image"] and "command" in container:
                assert container["command"][0] in {"tini", "timeout"}, name


def test_pods_keep_to_pod_security_restricted(case: str) -> None:
    for name, pod in pods(objects_of(case)):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} <= _VOLUMES_OF_RESTRICTED, (name, volume)
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert not {"privileged", "procMount", "seLinuxOptions"} & context.keys(), name
            assert not any("hostPort" in port for port in container.get("ports", [])), name


def test_pods_are_stricter_than_restricted(case: str) -> None:
    for name, pod in pods(objects_of(case)):
        spec = pod["spec"]
        is_orchestrator = name.startswith("StatefulSet") and name.endswith("-orchestrator")
        has_token = is_orchestrator and case != "no kubernetes"
        assert spec["automountServiceAccountToken"] is has_token, name
        # The variables of a Service named lumenmill-… would be read as settings.
        assert spec["enableServiceLinks"] is False, name
        for container in containers(pod):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert "memory" in container["resources"]["limits"], name
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}, name
        assert all("sizeLimit" in volume["emptyDir"] for volume in spec["volumes"] if _is_own_scratch(volume)), name


def _is_own_scratch(volume: Object) -> bool:
    return "emptyDir" in volume and volume["name"] in {"tmp", "shm", "cache"}


def test_every_mounted_volume_exists(case: str) -> None:
    for name, pod in pods(objects_of(case)):
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        for container in containers(pod):
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounted <= volumes, name


def test_objects_that_pods_need_are_created_by_the_chart_or_the_operator(case: str) -> None:
    objects = objects_of(case)
    created = {(found["kind"], found["metadata"]["name"]) for found in objects}
    certificates = [found["spec"] for found in objects if found["kind"] == "Certificate"]
    created |= {("Secret", certificate["secretName"]) for certificate in certificates}
    given = {"s3", "database", "hub", "mesh", "mesh-token", "site-ca", "llm"}
    for name, pod in pods(objects):
        for kind, named in _named(pod):
            assert (kind, named) in created or (kind == "Secret" and named in given), (name, kind, named)


def _named(pod: Object) -> list[tuple[str, str]]:
    """Return the Secrets, ConfigMaps, claims and accounts that a pod needs to start."""
    spec = pod["spec"]
    found = [("ServiceAccount", spec["serviceAccountName"])]
    for volume in spec["volumes"]:
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            secret, files = source.get("secret", {}), source.get("configMap", {})
            found += [("Secret", name) for name in (secret.get("name"), secret.get("secretName")) if name]
            found += [("ConfigMap", files["name"])] if files else []
        if "persistentVolumeClaim" in volume:
            found.append(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
    for container in containers(pod):
        for entry in container.get("env", []):
            reference = entry.get("valueFrom", {}).get("secretKeyRef")
            found += [("Secret", reference["name"])] if reference else []
    return found


def test_files_that_settings_name_are_mounted(case: str) -> None:
    for name, pod in pods(objects_of(case)):
        files = {
            f"{folder}/{path}"
            for volume in pod["spec"]["volumes"]
            for folder in [{"config": "/etc/lumenmill", "secrets": "/etc/lumenmill-secrets"}.get(volume["name"], "")]
            for path in _paths(volume)
        }
        for container in containers(pod):
            for variable, value in environment(container).items():
                if variable.endswith("_FILE") and variable.startswith(("LUMENMILL_", "SSL_")):
                    assert value in files, (name, variable)


def _paths(volume: Object) -> list[str]:
    sources = volume.get("projected", {}).get("sources", [])
    return [item["path"] for source in sources for item in source.get("secret", {}).get("items", [])]


def test_no_secret_is_in_the_environment(case: str) -> None:
    for name, pod in pods(objects_of(case)):
        for container in containers(pod):
            for variable, value in environment(container).items():
                assert "postgresql://" not in value, name
                assert not variable.endswith(("PASSWORD", "_TOKEN", "_KEY")), (name, variable)


def test_processes_listen_on_the_port_of_the_probes(case: str) -> None:
    for name, pod in pods(objects_of(case)):
        for container in containers(pod):
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                port = container.get(probe, {}).get("grpc", {}).get("port")
                if port is not None:
                    assert environment(container)["LUMENMILL_HEALTH_ADDRESS"] == f"0.0.0.0:{port}", name


def test_everything_is_in_the_namespace_of_the_release(case: str) -> None:
    for found in objects_of(case):
        assert found["metadata"].get("namespace", NAMESPACE) == NAMESPACE
    assert render("embedded", clusterDomain="corp.local")
