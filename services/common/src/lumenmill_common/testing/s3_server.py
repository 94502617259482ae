"""A real MinIO server on a free port, if its binary is installed."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumenmill_common import errors
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.settings import StoreSettings
from lumenmill_common.testing.processes import free_port

_USER, _PASSWORD = "access-key-of-a-test", "secret-key-of-a-test"
_READY_TIMEOUT_S = 10.0

__all__ = ["S3Server", "s3_server", "s3_store"]


class S3Server:
    """A server that can be stopped and restarted; its objects persist."""

    def __init__(self, binary: str, folder: Path, certificates: Path | None = None) -> None:
        """`certificates` is a folder with `ca.pem`, and with `public.crt` and `private.key` of a server with HTTPS."""
        self._binary, self._folder, self._certificates = binary, folder, certificates
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint = f"127.0.0.1:{free_port()}"
        (folder / "access").write_text(_USER)
        (folder / "secret").write_text(_PASSWORD)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of a service that uses this store."""
        return {
            "LUMENMILL_STORE_URL": self.settings().store_url,
            "LUMENMILL_S3_ENDPOINT": self._endpoint,
            "LUMENMILL_S3_SECURE": "false",
            "LUMENMILL_S3_ACCESS_KEY_FILE": str(self._folder / "access"),
            "LUMENMILL_S3_SECRET_KEY_FILE": str(self._folder / "secret"),
        }

    def settings(self, prefix: str = "some/prefix") -> StoreSettings:
        """Return the same settings for a service in this process; every prefix is a store of its own."""
        return StoreSettings(
            store_url=f"s3://lumenmill/{prefix}",
            s3_endpoint=self._endpoint,
            s3_secure=self._certificates is not None,
            s3_ca_file=self._certificates / "ca.pem" if self._certificates else None,
            s3_access_key_file=self._folder / "access",
            s3_secret_key_file=self._folder / "secret",
        )

    def start(self) -> ArtifactStore:
        """Start the server, wait until it answers, and return a store on it."""
        environment = os.environ | {"MINIO_ROOT_USER": _USER, "MINIO_ROOT_PASSWORD": _PASSWORD}
        certificates = self._certificates or self._folder / "none"
        command = [self._binary, "server", "--certs-dir", str(certificates), "--address", self._endpoint]
        command.append(str(self._folder / "data"))
        self._process = subprocess.Popen(  # noqa: S603
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        store = open_store_from(self.settings())
        _wait_until_ready(store)
        return store

    def stop(self) -> None:
        """Kill the server."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


@contextlib.contextmanager
def s3_server(folder: Path, certificates: Path | None = None) -> Iterator[S3Server]:
    """Yield a server that is not started yet; skip the test without a `minio` binary or LUMENMILL_TEST_MINIO.

    `certificates` as of S3Server.
    """
    binary = os.environ.get("LUMENMILL_TEST_MINIO") or shutil.which("minio")
    if not binary:
        pytest.skip("no minio binary on PATH and LUMENMILL_TEST_MINIO is not set")
    server = S3Server(binary, folder, certificates)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def s3_store(folder: Path) -> Iterator[ArtifactStore]:
    """Yield a store on a new bucket of a new server; skip as `s3_server`."""
    with s3_server(folder) as server:
        yield server.start()


def _wait_until_ready(store: ArtifactStore) -> None:
    end_s = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < end_s:
        with contextlib.suppress(errors.UnavailableError):
            store.check()
            return
        time.sleep(0.1)
    pytest.fail("the MinIO server did not start")
