"""The imager as in production: a process that is configured by its environment."""

import contextlib
import resource
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc

from lumenmill_common.calls import connect
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.testing import ServiceProcess, running_process, start_process


@dataclass
class ImagerProcess:
    """A running imager."""

    process: "subprocess.Popen[bytes]"
    channel: grpc.aio.Channel

    def limit_memory(self, num_bytes: int) -> None:
        """Limit the further memory that the process may allocate from now on; 0 removes the limit."""
        unlimited = resource.RLIM_INFINITY
        limit = num_bytes and self._data_bytes() + num_bytes
        resource.prlimit(self.process.pid, resource.RLIMIT_DATA, (limit or unlimited, unlimited))

    def _data_bytes(self) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmData")) * 1024


def start(folder: Path, model: str, checkpoint: Path, listen_address: str = "127.0.0.1:0") -> ServiceProcess:
    """Start the process."""
    settings = {"model": model, "checkpoint": checkpoint, "device": "cpu", "listen_address": listen_address}
    return start_process(["-m", "lumenmill_imager"], folder, metrics_address="", **settings)


@contextlib.asynccontextmanager
async def running(folder: Path, model: str, checkpoint: Path) -> AsyncIterator[ImagerProcess]:
    """Serve inside the block, with one thread for the model."""
    settings = {"model": model, "checkpoint": checkpoint, "device": "cpu", "metrics_address": ""}
    one_thread = {"OMP_NUM_THREADS": "1"}
    async with (
        running_process(["-m", "lumenmill_imager"], folder, environment=one_thread, **settings) as service,
        connect((await service.addresses())["grpc"], ServiceSettings()) as channel,
    ):
        yield ImagerProcess(service.process, channel)
