"""Certificates, tokens, objects that are kept, and the rights of the orchestrator."""

import base64
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from .helm import NAMESPACE, Object, environment, of_kind, pods, render

_KEDA = {"scaling__by": "keda", "database__kind": "chart", "exports__asJobs": True}


def _data(secret: Object, key: str) -> bytes:
    return base64.b64decode(secret["data"][key])


def _names(certificate: x509.Certificate) -> set[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(extension.get_values_for_type(x509.DNSName))


def _called_hosts(objects: list[Object]) -> set[str]:
    """Return every host name by which a process of the mesh connects to another."""
    models = yaml.safe_load(of_kind(objects, "ConfigMap")["orchestrator"]["data"]["models.yaml"])
    addresses = [address.removeprefix("dns:///") for address in models.values()]
    for _, pod in pods(objects):
        for container in pod["spec"]["containers"]:
            variables = environment(container)
            addresses += [
                variables[name] for name in ("LUMENMILL_ADDRESS", "LUMENMILL_S3_ENDPOINT") if name in variables
            ]
    triggers = [found["spec"]["triggers"][0] for found in of_kind(objects, "ScaledObject").values()]
    addresses += [trigger["metadata"]["scalerAddress"] for trigger in triggers]
    url = _data(of_kind(objects, "Secret")["postgres"], "url-tls").decode()
    addresses.append(url.partition("@")[2].partition("/")[0])
    return {address.rpartition(":")[0] for address in addresses}


def test_every_host_name_is_in_the_certificate_of_its_server() -> None:
    objects = render("embedded", **_KEDA, modelDefaults__maxReplicas=2)
    secrets = of_kind(objects, "Secret")
    hosts = {}
    for name, secret in secrets.items():
        if name.endswith("-tls"):
            certificate = x509.load_pem_x509_certificate(_data(secret, "tls.crt"))
            hosts |= dict.fromkeys(_names(certificate), name.removesuffix("-tls"))
    called = _called_hosts(objects)
    assert len(called) == 7  # three models, orchestrator, scaler, store, database
    for host in called:
        owner = host.split(".")[0].removeprefix("mill-lumenmill-")
        assert hosts[host] == {"scaler": "orchestrator"}.get(owner, owner)


def test_generated_certificates_share_an_authority_and_serve_servers_and_clients(tmp_path: Path) -> None:
    secrets = of_kind(render("embedded", tls__extraNames=["mill.example.com"]), "Secret")
    authority = x509.load_pem_x509_certificate(_data(secrets["ca"], "tls.crt"))
    owners = {name.removesuffix("-tls") for name in secrets if name.endswith("-tls")}
    assert owners == {"orchestrator", "client", "minio", "grammar", "studio", "photometric"}
    for owner in owners:
        secret = secrets[f"{owner}-tls"]
        certificate = x509.load_pem_x509_certificate(_data(secret, "tls.crt"))
        certificate.verify_directly_issued_by(authority)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} <= set(usage)
        assert "localhost" in _names(certificate)  # for port-forward
        assert ("mill.example.com" in _names(certificate)) == (owner == "orchestrator")
        assert _data(secret, "ca.crt") == _data(secrets["ca"], "tls.crt")
        for key in ("tls.crt", "tls.key"):
            (tmp_path / key).write_bytes(_data(secret, key))
        ssl.create_default_context().load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")


def test_the_orchestrator_calls_a_model_by_mutual_tls() -> None:
    secrets = of_kind(render("embedded"), "Secret")
    model, orchestrator = secrets["studio-tls"], secrets["orchestrator-tls"]
    server = grpc.server(ThreadPoolExecutor(1))
    key_and_certificate = (_data(model, "tls.key"), _data(model, "tls.crt"))
    port = server.add_secure_port(
        "127.0.0.1:0",
        grpc.ssl_server_credentials([key_and_certificate], _data(model, "ca.crt"), require_client_auth=True),
    )
    server.start()
    own = (_data(orchestrator, "tls.key"), _data(orchestrator, "tls.crt"))
    try:
        assert _connects(port, grpc.ssl_channel_credentials(_data(orchestrator, "ca.crt"), *own))
        assert not _connects(port, grpc.ssl_channel_credentials(_data(orchestrator, "ca.crt")))
    finally:
        server.stop(None)


def _connects(port: int, credentials: grpc.ChannelCredentials) -> bool:
    """Return whether a call reaches the server, which has no methods."""
    name = ("grpc.ssl_target_name_override", f"mill-lumenmill-studio.{NAMESPACE}.svc")
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=[name]) as channel:
        try:
            channel.unary_unary("/a/b")(b"", timeout=5)
        except grpc.RpcError as error:
            return bool(error.code() == grpc.StatusCode.UNIMPLEMENTED)
    return False


def test_no_pod_mounts_the_key_of_the_authority() -> None:
    for mode in ("generated", "certManager"):
        for name, pod in pods(render("embedded", tls__mode=mode)):
            assert "mill-lumenmill-ca" not in str(pod["spec"]["volumes"]), name


def test_cert_manager_issues_the_same_certificates() -> None:
    objects = render("embedded", tls__mode="certManager")
    issued = {found["spec"]["secretName"] for found in of_kind(objects, "Certificate").values()}
    generated = {found["metadata"]["name"] for found in of_kind(render("embedded"), "Secret").values()}
    assert {name for name in generated if name.endswith(("-tls", "-ca"))} == issued
    assert not any(name.endswith("-tls") for name in of_kind(objects, "Secret"))
    other = {"name": "site", "kind": "ClusterIssuer", "group": "cert-manager.io"}
    objects = render("embedded", tls__mode="certManager", tls__certManager__issuerRef=other)
    assert not of_kind(objects, "Issuer")
    assert all(found["spec"]["issuerRef"] == other for found in of_kind(objects, "Certificate").values())


@pytest.mark.parametrize("is_mutual", [True, False])
def test_clients_need_certificates_when_tls_is_mutual(is_mutual: bool) -> None:
    for name, pod in pods(render("embedded", tls__mutual=is_mutual)):
        for container in pod["spec"]["containers"]:
            variables = environment(container)
            is_server = "LUMENMILL_LISTEN_ADDRESS" in variables
            assert ("LUMENMILL_TLS_CLIENT_CA_FILE" in variables) == (is_mutual and is_server), name


def test_without_tls_there_are_no_certificates() -> None:
    objects = render("embedded", tls__mode="none", **_KEDA)
    assert not any(name.endswith(("-tls", "-ca")) for name in of_kind(objects, "Secret"))
    assert not of_kind(objects, "TriggerAuthentication")
    for name, pod in pods(objects):
        assert "TLS" not in str(pod["spec"]), name
        assert "S3_CA_FILE" not in str(pod["spec"]), name


def test_connections_to_the_database_verify_its_certificate() -> None:
    secret = of_kind(render("embedded", **_KEDA), "Secret")["postgres"]
    url, password = _data(secret, "url-tls").decode(), _data(secret, "password").decode()
    assert url.startswith(f"postgresql://lumenmill:{password}@mill-lumenmill-postgres.{NAMESPACE}.svc:5432/lumenmill?")
    assert "sslmode=verify-full" in url
    assert len(password) == 32


def test_only_generated_secrets_and_data_outlive_the_release() -> None:
    objects = render("embedded", database__kind="chart", modelDefaults__cache={"kind": "pvc", "size": "1Gi"})
    kept = {
        (found["kind"], found["metadata"]["name"].removeprefix("mill-lumenmill-"))
        for found in objects
        if found["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }
    data = {("PersistentVolumeClaim", name) for name in ("minio-data", "postgres-data")}
    assert kept == {("Secret", name) for name in of_kind(objects, "Secret")} | data
    assert {"studio-cache", "minio-data"} < of_kind(objects, "PersistentVolumeClaim").keys()


def test_each_release_has_its_own_secrets() -> None:
    first = _data(of_kind(render("embedded"), "Secret")["token"], "token")
    again = _data(of_kind(render("embedded", logLevel="DEBUG"), "Secret")["token"], "token")
    assert first != again
    assert len(first) == len(again) == 43


def _caller_files(pod: Object) -> dict[str, str]:
    """Return the files of callers that a pod mounts, and the keys of their Secret."""
    sources = [source for volume in pod["spec"]["volumes"] for source in volume.get("projected", {}).get("sources", [])]
    items = [item for source in sources for item in source.get("secret", {}).get("items", [])]
    return {item["path"]: item["key"] for item in items if item["path"] in ("token", "callers")}


def test_only_those_that_call_others_have_a_token_and_servers_have_the_table() -> None:
    own, table = {"token": "token"}, {"callers": "callers"}
    expected = {
        "StatefulSet mill-lumenmill-orchestrator": {"token": "service-token", **table},
        "CronJob mill-lumenmill-store-gc": own,
        "Pod mill-lumenmill-test": own,
        **{f"Deployment mill-lumenmill-{model}": table for model in ("grammar", "studio", "photometric")},
    }
    variables = {"LUMENMILL_TOKEN_FILE": "token", "LUMENMILL_CALLERS_FILE": "callers"}
    found = {name: _caller_files(pod) for name, pod in pods(render("embedded"))}
    assert {name: files for name, files in found.items() if files} == expected
    for name, pod in pods(render("embedded")):
        named = {path for variable, path in variables.items() if variable in environment(pod["spec"]["containers"][0])}
        assert named == found[name].keys(), name


# RBAC.

_ANY = ("*",)
_LIST = {
    ("", "pods", "list", _ANY),
    ("apps", "deployments", "list", _ANY),
    ("", "events", "list", _ANY),
}
_MARK = {("", "pods", "patch", _ANY)}
_EXPORT = {
    ("batch", "jobs", "get", _ANY),
    ("batch", "jobs", "create", _ANY),
    ("batch", "jobs", "delete", _ANY),
    ("apps", "statefulsets", "get", ("mill-lumenmill-orchestrator",)),
}
_MODELS = [
    {"name": "flux", "service": "imager", "model": "FLUX.1-dev", "gpus": 1, "maxReplicas": 2},
    {"name": "wan", "service": "video", "model": "Wan2.1-T2V-14B", "gpus": 1, "maxReplicas": 2},
    {"name": "studio", "service": "studio"},
]


def _allowed(objects: list[Object]) -> set[tuple[str, str, str, tuple[str, ...]]]:
    """Return group, resource, verb and names of every right of the orchestrator in its namespace."""
    [role] = of_kind(objects, "Role").values()
    return {
        (group, resource, verb, tuple(rule.get("resourceNames", _ANY)))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize(
    ("overrides", "allowed"),
    [
        ({}, _LIST),
        ({"scaling__by": "keda"}, _LIST),
        ({"models": _MODELS}, _LIST),
        ({"scaling__by": "keda", "models": _MODELS}, _LIST | _MARK),
        ({"exports__asJobs": True, "database__kind": "chart"}, _LIST | _EXPORT),
    ],
)
def test_the_orchestrator_has_only_the_rights_that_it_needs(
    overrides: dict[str, Any], allowed: set[tuple[str, str, str, tuple[str, ...]]]
) -> None:
    objects = render("embedded", **overrides)
    assert _allowed(objects) == allowed
    [binding] = of_kind(objects, "RoleBinding").values()
    assert [subject["name"] for subject in binding["subjects"]] == ["mill-lumenmill-orchestrator"]


def test_it_may_list_nodes_unless_disabled() -> None:
    [role] = [found for found in render("embedded") if found["kind"] == "ClusterRole"]
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    # With dynamic allocation nodes do not report GPUs: there would seem to be none.
    for without in ({"fleet__readNodes": False}, {"gpu__mode": "dra"}):
        objects = render("embedded", **without)
        assert not [found for found in objects if found["kind"] in {"ClusterRole", "ClusterRoleBinding"}]


def test_without_the_fleet_it_has_no_rights() -> None:
    objects = render("embedded", fleet__enabled=False)
    assert not {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} & {found["kind"] for found in objects}
    assert "LUMENMILL_KUBERNETES_NAMESPACE" not in str(of_kind(objects, "StatefulSet")["orchestrator"])
