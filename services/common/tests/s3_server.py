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


@contextlib.contextmanager
def s3_store(folder: Path) -> Iterator[ArtifactStore]:
    """A store on a fresh bucket of a fresh server; skips where there is no `minio` binary (or LUMENMILL_TEST_MINIO)."""
    binary = os.environ.get("LUMENMILL_TEST_MINIO") or shutil.which("minio")
    if not binary:
        pytest.skip("no minio binary on PATH and LUMENMILL_TEST_MINIO is not set")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "access").write_text("lumenmill")
    (folder / "secret").write_text("lumenmill-secret")
    environment = os.environ | {"MINIO_ROOT_USER": "lumenmill", "MINIO_ROOT_PASSWORD": "lumenmill-secret"}
    server = subprocess.Popen(
        [binary, "server", "--address", endpoint, str(folder / "data")], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        settings = StoreSettings(
            store_url="s3://lumenmill/some/prefix",
            s3_endpoint=endpoint,
            s3_secure=False,
            s3_access_key_file=folder / "access",
            s3_secret_key_file=folder / "secret",
        )
        store = open_store_from(settings)
        _wait_until_ready(store)
        yield store
    finally:
        server.terminate()
        server.wait(10)


def _wait_until_ready(store: ArtifactStore) -> None:
    for _ in range(50):
        with contextlib.suppress(errors.UnavailableError):
            store.check()
            return
        time.sleep(0.2)
    pytest.fail("the MinIO server did not start")
