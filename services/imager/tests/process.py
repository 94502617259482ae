"""The imager as in production: a process that is configured by its environment."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
from lumenmill_common.calls import connect
from lumenmill_common.settings import ServiceSettings


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


def start(folder: Path, model: str, checkpoint: Path, listen_address: str = "127.0.0.1:0") -> "subprocess.Popen[bytes]":
    """Start the process; its log is `folder`/log."""
    environment = os.environ | {
        "LUMENMILL_MODEL": model,
        "LUMENMILL_CHECKPOINT": str(checkpoint),
        "LUMENMILL_DEVICE": "cpu",
        "LUMENMILL_LISTEN_ADDRESS": listen_address,
        "LUMENMILL_METRICS_ADDRESS": "",
        "LUMENMILL_ADDRESS_FILE": str(folder / "address.json"),
        "LUMENMILL_STORE_URL": f"file://{folder}/store",
        "LUMENMILL_DRAIN_S": "0",
        "OMP_NUM_THREADS": "1",
    }
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "lumenmill_imager"], env=environment, stdout=log, stderr=log)


@contextlib.asynccontextmanager
async def running(folder: Path, model: str, checkpoint: Path) -> AsyncIterator[ImagerProcess]:
    """Serve inside the block."""
    process, address_file = start(folder, model, checkpoint), folder / "address.json"
    try:
        async with asyncio.timeout(90):
            while not address_file.exists():
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                await asyncio.sleep(0.05)
        async with connect(json.loads(address_file.read_text())["grpc"], ServiceSettings()) as channel:
            yield ImagerProcess(process, channel)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
