"""A small mesh of real processes that can be killed and restarted: three instant models and an orchestrator.

Every process keeps its port over restarts, as a pod behind a Kubernetes service keeps its name.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill_common.calls import connect
from lumenmill_common.settings import SecuritySettings

ROOT = Path(__file__).parents[2]
MODELS = ("prompter", "imager", "captioner")
ORCHESTRATOR = "orchestrator"
_TINY = ROOT / "orchestrator" / "tests" / "tiny_mesh.py"


@dataclass
class MeshProcess:
    """One process of the mesh."""

    name: str
    command: list[str]
    environment: dict[str, str]
    address: str
    address_file: Path
    log_file: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; `wait_until_serving` waits for it."""
        self.address_file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=os.environ | self.environment, stderr=log, stdout=log)

    async def wait_until_serving(self) -> None:
        """Return as soon as the process serves."""
        async with asyncio.timeout(60):
            while not self.address_file.exists():
                assert self.process is not None
                assert self.process.poll() is None, f"{self.name} ended: {self.log_file.read_text()[-2000:]}"
                await asyncio.sleep(0.02)

    async def stop(self, by: signal.Signals = signal.SIGKILL) -> int:
        """Stop the process by a signal, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(by)
        return await asyncio.to_thread(self.process.wait, 60)


@dataclass(frozen=True)
class CompletedCall:
    """One call that a model has completed."""

    model: str
    time_s: float
    call: str
    request_id: str


class ProcessMesh:
    """The processes, and the calls that they completed."""

    def __init__(
        self,
        folder: Path,
        step_s: float,
        failure_rate: float = 0.0,
        store: Path | None = None,
        environment: dict[str, str] | None = None,
        security: SecuritySettings | None = None,
    ) -> None:
        """`store` is a folder, by default one in `folder`; `environment` is that of all processes; `security` is that
        of the test's own calls."""
        self.security = security or SecuritySettings()
        self.folder, self.processes = folder, dict[str, MeshProcess]()
        more = {"LUMENMILL_STORE_URL": f"file://{store or folder / 'store'}"} | (environment or {})
        for name in MODELS:
            address = _free_address()
            files = [str(folder / f"{name}.json"), str(folder / f"{name}.made")]
            command = [
                sys.executable,
                str(_TINY),
                more["LUMENMILL_STORE_URL"],
                *files,
                str(step_s),
                "--listen",
                address,
            ]
            command += ["--failure-rate", str(failure_rate), "--persist-results-over-s", "0", "--drain-s", "20"]
            self._add(name, command, more, address)
        address = _free_address()
        settings = {
            "LUMENMILL_LISTEN_ADDRESS": address,
            "LUMENMILL_METRICS_ADDRESS": "",
            "LUMENMILL_ADDRESS_FILE": str(folder / f"{ORCHESTRATOR}.json"),
            "LUMENMILL_DATABASE_URL": f"sqlite:///{folder}/orchestrator.sqlite",
            "LUMENMILL_MODELS": json.dumps({name: self.processes[name].address for name in MODELS}),
            **more,
        }
        self._add(ORCHESTRATOR, [sys.executable, "-m", "lumenmill_orchestrator"], settings, address)

    def _add(self, name: str, command: list[str], environment: dict[str, str], address: str) -> None:
        self.processes[name] = MeshProcess(
            name, command, environment, address, self.folder / f"{name}.json", self.folder / f"{name}.log"
        )

    async def start(self, *names: str) -> None:
        """Start the named processes, or all, and return when they serve."""
        started = [self.processes[name] for name in names or self.processes]
        for process in started:
            process.start()
        await asyncio.gather(*(process.wait_until_serving() for process in started))

    @contextlib.asynccontextmanager
    async def runs(self) -> AsyncIterator[Any]:
        """Yield a stub of RunService."""
        async with connect(self.processes[ORCHESTRATOR].address, self.security) as channel:
            yield run_pb2_grpc.RunServiceStub(channel)

    async def submit(self, run_id: str, recipe: str, **parameters: Any) -> None:
        """Submit a run."""
        request = run_pb2.SubmitRunRequest(recipe=recipe, run_id=run_id)
        request.parameters.update(parameters)
        async with self.runs() as runs:
            await runs.SubmitRun(request)

    async def run(self, run_id: str) -> run_pb2.Run:
        """Return the present state of a run."""
        async with self.runs() as runs:
            return (await runs.GetRun(run_pb2.GetRunRequest(run_id=run_id), timeout=20)).run

    async def ended(self, run_id: str, timeout_s: float = 90.0) -> run_pb2.Run:
        """Watch a run until it has ended, and return it."""
        last = run_pb2.Run()
        async with asyncio.timeout(timeout_s), self.runs() as runs:
            async for response in runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id)):
                last = response.run
        return last

    async def samples(self, run_id: str) -> list[run_pb2.Sample]:
        """Return all samples of a run."""
        found: list[run_pb2.Sample] = []
        request = run_pb2.ListSamplesRequest(run_id=run_id, page_size=1000)
        async with self.runs() as runs:
            while True:
                page = await runs.ListSamples(request)
                found += page.samples
                request.page_token = page.next_page_token
                if not request.page_token:
                    return found

    def completed_calls(self) -> list[CompletedCall]:
        """Return every call that a model has completed, as often as it has."""
        found = []
        for name in MODELS:
            file = self.folder / f"{name}.made"
            for line in file.read_text().splitlines() if file.exists() else []:
                time_s, call, request_id = line.split()
                found.append(CompletedCall(name, float(time_s), call, request_id))
        return sorted(found, key=lambda call: call.time_s)

    async def wait_for_calls(self, num_calls: int, timeout_s: float = 60.0) -> None:
        """Return when the models have completed this many calls."""
        async with asyncio.timeout(timeout_s):
            while len(self.completed_calls()) < num_calls:
                await asyncio.sleep(0.02)

    def repeated_calls(self) -> dict[str, list[CompletedCall]]:
        """Return the calls that were completed more than once, by request id."""
        by_id: dict[str, list[CompletedCall]] = {}
        for call in self.completed_calls():
            by_id.setdefault(call.request_id, []).append(call)
        return {request_id: calls for request_id, calls in by_id.items() if len(calls) > 1}

    def close(self) -> None:
        """Kill all processes."""
        for each in self.processes.values():
            if each.process is not None:
                each.process.kill()
                each.process.wait()


@contextlib.contextmanager
def process_mesh(folder: Path, step_s: float, **more: Any) -> Iterator[ProcessMesh]:
    """Yield a mesh that is not started yet; its processes are killed at the end of the block."""
    opened = ProcessMesh(folder, step_s, **more)
    try:
        yield opened
    finally:
        opened.close()


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def now_s() -> float:
    """Return the time of the clock that models use for `time_s`."""
    return time.time()
