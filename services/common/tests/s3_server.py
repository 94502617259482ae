"""A real MinIO server on a free port, where its binary is installed."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lumenmill_common import errors
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.settings import StoreSettings

_USER, _PASSWORD = "access-key-of-a-test", "secret-key-of-a-test"


class S3Server:
    """A server that can be stopped and started again; its objects stay."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary, self._folder = binary, folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._endpoint = f"127.0.0.1:{probe.getsockname()[1]}"
        (folder / "access").write_text(_USER)
        (folder / "secret").write_text(_PASSWORD)

    @property
    def environment(self) -> dict[str, str]:
        """What a service must be told to keep its artifacts here."""
        return {
            "LUMENMILL_STORE_URL": self.settings().store_url,
            "LUMENMILL_S3_ENDPOINT": self._endpoint,
            "LUMENMILL_S3_SECURE": "false",
            "LUMENMILL_S3_ACCESS_KEY_FILE": str(self._folder / "access"),
            "LUMENMILL_S3_SECRET_KEY_FILE": str(self._folder / "secret"),
        }

    def settings(self, prefix: str = "some/prefix") -> StoreSettings:
        """The same, for a service in this process; every prefix is a store of its own."""
        return StoreSettings(
            store_url=f"s3://lumenmill/{prefix}",
            s3_endpoint=self._endpoint,
            s3_secure=False,
            s3_access_key_file=self._folder / "access",
            s3_secret_key_file=self._folder / "secret",
        )

    def start(self) -> ArtifactStore:
        """Starts the server and waits until it answers; a store on it."""
        environment = os.environ | {"MINIO_ROOT_USER": _USER, "MINIO_ROOT_PASSWORD": _PASSWORD}
        command = [self._binary, "server", "--address", self._endpoint, str(self._folder / "data")]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        store = open_store_from(self.settings())
        _wait_until_ready(store)
        return store

    def stop(self) -> None:
        """Kills the server."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A server that is not started yet; skips where there is no `minio` binary (or LUMENMILL_TEST_MINIO)."""
    binary = os.environ.get("LUMENMILL_TEST_MINIO") or shutil.which("minio")
    if not binary:
        pytest.skip("no minio binary on PATH and LUMENMILL_TEST_MINIO is not set")
    server = S3Server(binary, folder)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def s3_store(folder: Path) -> Iterator[ArtifactStore]:
    """A store on a fresh bucket of a fresh server; skips as `s3_server`."""
    with s3_server(folder) as server:
        yield server.start()


def _wait_until_ready(store: ArtifactStore) -> None:
    for _ in range(50):
        with contextlib.suppress(errors.UnavailableError):
            store.check()
            return
        time.sleep(0.2)
    pytest.fail("the MinIO server did not start")
