"""A mesh of processes as in production: one process and port for each service, and a common store."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.serve import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES

__all__ = ["Mesh", "Process", "mesh"]

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.enable_retries", 0),
]
_MODELS = {"grammar": "prompter", "studio": "studio", "photometric": "captioner"}
_START_S = 90.0


@dataclass
class Process:
    """One service process."""

    name: str
    folder: Path
    environment: dict[str, str]
    channel: grpc.Channel = field(init=False)
    services: frozenset[str] = field(init=False)
    address: str = field(init=False, default="")
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def log_file(self) -> Path:
        """Its log file."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and return at once."""
        command = [sys.executable, "-m", f"lumenmill_{self.name}"]
        own = {
            "LUMENMILL_LISTEN_ADDRESS": "127.0.0.1:0",
            "LUMENMILL_METRICS_ADDRESS": "",
            "LUMENMILL_ADDRESS_FILE": str(self._address_file),
            # A job ends with its call, so that accepted work does not outlive the test.
            "LUMENMILL_GRACE_PERIOD_S": "0",
            "LUMENMILL_DRAIN_S": "0",
        }
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | self.environment | own, stderr=log, stdout=log, cwd=self.folder
            )

    @property
    def _address_file(self) -> Path:
        return self.folder / f"{self.name}.json"

    def connect(self) -> None:
        """Wait until it is serving."""
        deadline_s = time.monotonic() + _START_S
        while not self._address_file.exists():
            assert self.is_alive, f"{self.name} ended: {self.log_file.read_text()[-2000:]}"
            assert time.monotonic() < deadline_s, f"{self.name} is not serving: {self.log_file.read_text()[-2000:]}"
            time.sleep(0.05)
        self.address = json.loads(self._address_file.read_text())["grpc"]
        self.channel = grpc.insecure_channel(self.address, options=_OPTIONS)
        self.services = frozenset(ProtoReflectionDescriptorDatabase(self.channel).get_services())

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def is_serving(self) -> bool:
        """Return whether the health of the process and of all its services is SERVING."""
        health = health_pb2_grpc.HealthStub(self.channel)
        own = sorted(name for name in self.services if name.startswith("lumenmill."))
        responses = [health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10) for name in ["", *own]]
        return all(response.status == health_pb2.HealthCheckResponse.SERVING for response in responses)

    def peak_memory_bytes(self) -> int:
        """Return its peak resident size."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
        raise AssertionError("this system does not report peak memory")

    def reset_peak_memory(self) -> None:
        """Reset the peak to the current size."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def logged_of(self, message: str) -> str:
        """Return the logged exception of an internal error, by the reference in its message; else an empty string."""
        match = re.search(r"reference ([0-9a-f]{12})", message)
        lines = self.log_file.read_text(errors="replace").splitlines() if match else []
        found = [json.loads(line).get("exception", "") for line in lines if match and match[1] in line]
        return "".join(f"\n{exception}" for exception in found)

    def wait(self, timeout_s: float) -> int:
        """Wait for its exit and return the exit code."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def end(self) -> None:
        """Kill it."""
        if hasattr(self, "channel"):
            self.channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True)
class Mesh:
    """All processes and the store that they share with the test."""

    folder: Path
    store: ArtifactStore
    processes: dict[str, Process]

    def serving(self, service: str) -> list[Process]:
        """The processes that serve a contract."""
        return [process for process in self.processes.values() if service in process.services]


@contextlib.contextmanager
def mesh(folder: Path, *names: str) -> Iterator[Mesh]:
    """Start a mesh of the named services, by default all four; end it with the block."""
    store_folder = folder / "store"
    shared = {"LUMENMILL_STORE_URL": store_folder.as_uri(), "LUMENMILL_RENDER_VARIANT": "scalar"}
    selected = list(names or dict.fromkeys([*_MODELS.values(), "orchestrator"]))
    processes = {name: Process(name, folder, dict(shared)) for name in selected}
    try:
        models = [process for name, process in processes.items() if name != "orchestrator"]
        for process in models:
            process.start()
        for process in models:
            process.connect()
        if "orchestrator" in processes:
            _start_orchestrator(processes, folder)
        yield Mesh(folder, open_store(store_folder.as_uri()), processes)
    finally:
        for process in processes.values():
            process.end()


def _start_orchestrator(processes: dict[str, Process], folder: Path) -> None:
    orchestrator = processes["orchestrator"]
    addresses = {model: processes[name].address for model, name in _MODELS.items() if name in processes}
    orchestrator.environment |= {
        "LUMENMILL_MODELS": json.dumps(addresses),
        "LUMENMILL_DATABASE_URL": f"sqlite:///{folder}/orchestrator.sqlite",
    }
    orchestrator.start()
    orchestrator.connect()
