"""A real Postgres server for tests, run as the user `postgres` when the tests run as root."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    command: list[str | Path]
    log: Path
    ready: list[str | Path]
    end: list[str | Path]
    url: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stderr=self.log.open("ab"))
        deadline_s = time.monotonic() + 20
        while subprocess.run(self.ready, check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline_s, "Postgres did not start"
            time.sleep(0.1)

    def stop(self) -> None:
        assert self.process is not None
        subprocess.run(self.end, check=True, capture_output=True)
        self.process.wait()


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[Server]:
    """A server with a new database."""
    if not _BINARIES:
        pytest.skip("no Postgres server is installed (apt install postgresql)")
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        pytest.skip("Postgres does not run as root, and runuser is not installed")
    binaries, port = _BINARIES[-1], _free_port()
    data = Path(f"/tmp/lumenmill-postgres-{os.getpid()}-{port}")  # noqa: S108 - other users cannot read tmp_path
    data.mkdir(mode=0o700)
    prefix: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(data, "postgres", "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    subprocess.run(
        [*prefix, binaries / "initdb", "-D", data / "db", "-A", "trust", "-U", "lumenmill"],
        check=True,
        capture_output=True,
    )
    command = [*prefix, binaries / "postgres", "-D", data / "db", "-p", str(port), "-k", data, "-F"]
    server = Server(
        command,
        folder / "postgres.log",
        [binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port)],
        [*prefix, binaries / "pg_ctl", "-D", data / "db", "-m", "fast", "stop"],
    )
    try:
        server.start()
        server.url = f"postgresql://lumenmill@127.0.0.1:{port}/postgres"
        yield server
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)
