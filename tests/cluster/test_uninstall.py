"""Backup, uninstallation, and restoring into a new release, as in docs/cluster.md."""

import base64
import contextlib
import subprocess
from pathlib import Path

import urllib3
from kube import CHART, Namespace, forwarded, run, until
from mesh import RELEASE, Mesh, all_ready, credentials, helm_values
from minio import Minio

BUCKET = "lumenmill"
LISTED = (
    "pods,services,deployments,statefulsets,jobs,cronjobs,configmaps,secrets,persistentvolumeclaims,networkpolicies,"
    "roles,rolebindings,serviceaccounts,poddisruptionbudgets"
)
CERTIFIED = ["orchestrator", "client", "minio", "postgres", "grammar", "studio", "photometric"]


def test_a_backup_is_restored_into_a_new_release_and_uninstalling_keeps_only_data_and_secrets(
    mesh: Mesh, namespace: Namespace, tmp_path: Path
) -> None:
    expected = {sample["id"] for sample in mesh.samples("first-day")}
    assert expected
    # First the database, then the store: all artifacts that the database refers to are in the later copy of the store.
    dump = tmp_path / "database.dump"
    dump.write_bytes(_in_postgres(namespace, "pg_dump", "--username=lumenmill", "--format=custom", "lumenmill"))
    _copy_out(namespace, tmp_path / "store", tmp_path)

    certificates = {name for name in _owned(namespace, "secrets") if name.endswith("-tls")}
    assert certificates >= {f"secret/{RELEASE}-{owner}-tls" for owner in CERTIFIED}
    kept = certificates | {f"secret/{RELEASE}-{name}" for name in ("token", "ca", "minio", "postgres")}
    kept |= {f"persistentvolumeclaim/{RELEASE}-{name}-data" for name in ("minio", "postgres")}
    namespace.helm("uninstall", RELEASE, "--wait", "--timeout", "4m", timeout_s=260)
    # Owned objects are deleted a little later than their owners.
    with contextlib.suppress(AssertionError):
        until("nothing else is left", lambda: _owned(namespace, LISTED) <= kept, 120)
    assert _owned(namespace, LISTED) == kept
    assert RELEASE not in run("kubectl", "get", "clusterroles,clusterrolebindings,priorityclasses", "-o", "name")

    restored = Namespace("lumenmill-restored")
    run("kubectl", "create", "namespace", restored.name)
    try:
        restored.helm("install", RELEASE, str(CHART), *helm_values())
        all_ready(restored)
        restored.kubectl("scale", "statefulset", f"{RELEASE}-orchestrator", "--replicas=0")
        until("the orchestrator is stopped", lambda: not restored.pods("app.kubernetes.io/component=orchestrator"), 90)
        _in_postgres(
            restored,
            "pg_restore",
            "--username=lumenmill",
            "--dbname=lumenmill",
            "--clean",
            "--if-exists",
            data=dump.read_bytes(),
        )
        _copy_in(restored, tmp_path / "store", tmp_path)
        restored.kubectl("scale", "statefulset", f"{RELEASE}-orchestrator", "--replicas=1")
        all_ready(restored)
        (tmp_path / "client").mkdir()
        with forwarded(restored, f"service/{RELEASE}-orchestrator", 50051) as address:
            environment = mesh.environment | credentials(restored, tmp_path / "client") | {"LUMENMILL_ADDRESS": address}
            again = Mesh(restored, address, tmp_path / "client", environment)
            assert {sample["id"] for sample in again.samples("first-day")} == expected
            verified = again.json("store", "verify")
            assert verified["damaged"] == [] and verified["missing"] == []
    finally:
        run("helm", "-n", restored.name, "uninstall", RELEASE, check=False)  # deletes cluster-wide objects too
        run("kubectl", "delete", "namespace", restored.name, "--timeout=180s", check=False, timeout_s=200)


def _owned(namespace: Namespace, kinds: str) -> set[str]:
    names = namespace.kubectl("get", kinds, "-o", "name").split()
    return {name for name in names if name.partition("/")[2].startswith(RELEASE)}


def _in_postgres(namespace: Namespace, *command: str, data: bytes = b"") -> bytes:
    pod = ["kubectl", "-n", namespace.name, "exec", "-i", f"{RELEASE}-postgres-0", "--"]
    done = subprocess.run([*pod, *command], check=False, capture_output=True, input=data, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _client(namespace: Namespace, address: str, folder: Path) -> Minio:
    keys = namespace.get("secret", f"{RELEASE}-minio")["data"]
    authority = folder / f"{namespace.name}.crt"
    authority.write_bytes(base64.b64decode(namespace.get("secret", f"{RELEASE}-client-tls")["data"]["ca.crt"]))
    access, secret = (base64.b64decode(keys[key]).decode() for key in ("access-key", "secret-key"))
    http = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=str(authority))
    return Minio(address, access_key=access, secret_key=secret, secure=True, http_client=http)


def _copy_out(namespace: Namespace, folder: Path, scratch: Path) -> None:
    with forwarded(namespace, f"service/{RELEASE}-minio", 9000) as address:
        client = _client(namespace, address, scratch)
        for found in client.list_objects(BUCKET, recursive=True):
            client.fget_object(BUCKET, found.object_name, str(folder / found.object_name))


def _copy_in(namespace: Namespace, folder: Path, scratch: Path) -> None:
    with forwarded(namespace, f"service/{RELEASE}-minio", 9000) as address:
        client = _client(namespace, address, scratch)
        for file in folder.rglob("*"):
            if file.is_file():
                client.fput_object(BUCKET, str(file.relative_to(folder)), str(file))
