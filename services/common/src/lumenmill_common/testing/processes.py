"""Services in processes of their own, configured by their environment as in production."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lumenmill_common.testing.waiting import eventually

__all__ = ["ServiceProcess", "free_port", "running_process", "start_process"]

_EXIT_TIMEOUT_S = 20


@dataclass(frozen=True)
class ServiceProcess:
    """A service that was started; its folder has `address.json`, `log` and `store`."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def log(self) -> str:
        """What it has written to standard output and error."""
        return (self.folder / "log").read_text()

    async def addresses(self, timeout_s: float = 90.0) -> dict[str, str]:
        """Wait until the process serves; return its addresses as host:port, `grpc` and `metrics`.

        Raises:
            RuntimeError: it has ended instead; with the end of its log.
        """
        file = self.folder / "address.json"
        await eventually(lambda: file.exists() or self.process.poll() is not None, timeout_s)
        if not file.exists():
            raise RuntimeError(f"the process exited with {self.process.returncode}: {self.log[-2000:]}")
        addresses: dict[str, str] = json.loads(file.read_text())
        return addresses

    def terminate(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_EXIT_TIMEOUT_S)

    def kill(self) -> None:
        """Kill the process, if it still runs."""
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_process(
    program: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None, **settings: object
) -> ServiceProcess:
    """Start a Python program, `-m lumenmill_prompter` for example, on free ports.

    `settings` are variables LUMENMILL_<NAME> in lower case, `environment` other ones.
    """
    values = {
        "listen_address": "127.0.0.1:0",
        "metrics_address": "127.0.0.1:0",
        "address_file": folder / "address.json",
        "store_url": f"file://{folder}/store",
        "drain_s": 0,
    } | settings
    variables = {f"LUMENMILL_{name.upper()}": str(value) for name, value in values.items()}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *program], env=os.environ | variables | dict(environment or {}), stdout=log, stderr=log
        )
    return ServiceProcess(process, folder)


@contextlib.asynccontextmanager
async def running_process(
    program: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None, **settings: object
) -> AsyncIterator[ServiceProcess]:
    """Yield a service that serves, started as by `start_process`; afterwards it must exit with 0 on SIGTERM."""
    service = start_process(program, folder, environment=environment, **settings)
    try:
        await service.addresses()
        yield service
        status = service.terminate()
        if status:
            raise RuntimeError(f"the process exited with {status}: {service.log[-2000:]}")
    finally:
        service.kill()
