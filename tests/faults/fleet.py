"""A small mesh of real processes that can be killed and started again: three instant models and an orchestrator.

Every process keeps its port over its lives, as a pod behind a Kubernetes service keeps its name.
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
class Part:
    """One process of the mesh."""

    name: str
    command: list[str]
    environment: dict[str, str]
    address: str
    address_file: Path
    log_file: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; `await up()` says when it serves."""
        self.address_file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=os.environ | self.environment, stderr=log, stdout=log)

    async def up(self) -> None:
        """Returns once it serves."""
        async with asyncio.timeout(60):
            while not self.address_file.exists():
                assert self.process is not None
                assert self.process.poll() is None, f"{self.name} ended: {self.log_file.read_text()[-2000:]}"
                await asyncio.sleep(0.02)

    async def end(self, by: signal.Signals = signal.SIGKILL) -> int:
        """Ends it by a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(by)
        return await asyncio.to_thread(self.process.wait, 60)


@dataclass(frozen=True)
class Done:
    """One call that a model has done."""

    model: str
    time_s: float
    call: str
    request_id: str


class Fleet:
    """The processes, and what they have done."""

    def __init__(
        self,
        folder: Path,
        step_s: float,
        failure_rate: float = 0.0,
        store: Path | None = None,
        environment: dict[str, str] | None = None,
        security: SecuritySettings | None = None,
    ) -> None:
        """`store` is a folder, by default one in `folder`; `environment` is for all parts, `security` for our calls."""
        self.security = security or SecuritySettings()
        self.folder, self.parts = folder, dict[str, Part]()
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
            "LUMENMILL_MODELS": json.dumps({name: self.parts[name].address for name in MODELS}),
            **more,
        }
        self._add(ORCHESTRATOR, [sys.executable, "-m", "lumenmill_orchestrator"], settings, address)

    def _add(self, name: str, command: list[str], environment: dict[str, str], address: str) -> None:
        self.parts[name] = Part(
            name, command, environment, address, self.folder / f"{name}.json", self.folder / f"{name}.log"
        )

    async def start(self, *names: str) -> None:
        """Starts parts, all without names, and returns once they serve."""
        wanted = [self.parts[name] for name in names or self.parts]
        for part in wanted:
            part.start()
        await asyncio.gather(*(part.up() for part in wanted))

    @contextlib.asynccontextmanager
    async def runs(self) -> AsyncIterator[Any]:
        """The orchestrator's runs."""
        async with connect(self.parts[ORCHESTRATOR].address, self.security) as channel:
            yield run_pb2_grpc.RunServiceStub(channel)

    async def submit(self, run_id: str, recipe: str, **parameters: Any) -> None:
        """Submits a run."""
        request = run_pb2.SubmitRunRequest(recipe=recipe, run_id=run_id)
        request.parameters.update(parameters)
        async with self.runs() as runs:
            await runs.SubmitRun(request)

    async def run(self, run_id: str) -> run_pb2.Run:
        """A run as it is now."""
        async with self.runs() as runs:
            return (await runs.GetRun(run_pb2.GetRunRequest(run_id=run_id), timeout=20)).run

    async def ended(self, run_id: str, timeout_s: float = 90.0) -> run_pb2.Run:
        """A run once it has ended, watched."""
        last = run_pb2.Run()
        async with asyncio.timeout(timeout_s), self.runs() as runs:
            async for response in runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id)):
                last = response.run
        return last

    async def samples(self, run_id: str) -> list[run_pb2.Sample]:
        """All samples of a run, page by page."""
        found: list[run_pb2.Sample] = []
        request = run_pb2.ListSamplesRequest(run_id=run_id, page_size=1000)
        async with self.runs() as runs:
            while True:
                page = await runs.ListSamples(request)
                found += page.samples
                request.page_token = page.next_page_token
                if not request.page_token:
                    return found

    def done(self) -> list[Done]:
        """Every call that a model has finished, as often as it has."""
        found = []
        for name in MODELS:
            file = self.folder / f"{name}.made"
            for line in file.read_text().splitlines() if file.exists() else []:
                time_s, call, request_id = line.split()
                found.append(Done(name, float(time_s), call, request_id))
        return sorted(found, key=lambda done: done.time_s)

    async def until_done(self, num_calls: int, timeout_s: float = 60.0) -> None:
        """Returns once the models have finished this many calls."""
        async with asyncio.timeout(timeout_s):
            while len(self.done()) < num_calls:
                await asyncio.sleep(0.02)

    def done_more_than_once(self) -> dict[str, list[Done]]:
        """Calls that were done again, by request id."""
        lives: dict[str, list[Done]] = {}
        for done in self.done():
            lives.setdefault(done.request_id, []).append(done)
        return {request_id: each for request_id, each in lives.items() if len(each) > 1}

    def close(self) -> None:
        """Kills whatever lives."""
        for part in self.parts.values():
            if part.process is not None:
                part.process.kill()
                part.process.wait()


@contextlib.contextmanager
def fleet(folder: Path, step_s: float, **more: Any) -> Iterator[Fleet]:
    """A fleet that is not started yet; nothing of it lives after the block."""
    opened = Fleet(folder, step_s, **more)
    try:
        yield opened
    finally:
        opened.close()


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def now_s() -> float:
    """The clock of the models' notes."""
    return time.time()
