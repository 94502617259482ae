"""Supervises the processes of a local mesh: starts them, restarts them after crashes, stops them together."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

from lumenmill_client.mesh._home import Home, write_json
from lumenmill_client.mesh._log_rotation import rotate_logs
from lumenmill_client.mesh._services import ORCHESTRATOR, MeshOptions, ServiceSpec, environment_of, services_of

__all__ = ["run_supervisor"]

_POLL_S = 0.1
_LOGS_S = 1.0
_FIRST_BACKOFF_S, _MAX_BACKOFF_S = 0.5, 15.0
# After a process has run this long, the backoff after a crash starts anew.
_STABLE_S = 30.0
# Time for a process to drain after SIGTERM before it is killed.
_STOP_S = 40.0


@dataclass
class _Child:
    spec: ServiceSpec
    process: asyncio.subprocess.Process | None = None
    port: int = 0
    num_restarts: int = 0


class _Supervisor:
    def __init__(self, home: Home, options: MeshOptions) -> None:
        self._home, self._options = home, options
        self._children = [_Child(spec) for spec in services_of(options, home)]
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        write_json(self._home.models_file, {})
        async with asyncio.TaskGroup() as tasks:
            for child in self._children:
                if child.spec.name == ORCHESTRATOR and self._options.port:
                    child.port = self._options.port
                tasks.create_task(self._supervise(child))
            tasks.create_task(self._publish())
            tasks.create_task(self._rotate_logs())
        self._home.mesh_file.unlink(missing_ok=True)

    async def _supervise(self, child: _Child) -> None:
        backoff_s = _FIRST_BACKOFF_S
        while not self._stop.is_set():
            started_s = time.monotonic()
            # A process that cannot be started, as when its log finds no space, is tried again as one that has crashed.
            with contextlib.suppress(OSError):
                await self._run_once(child)
            if self._stop.is_set():
                return
            child.num_restarts += 1
            backoff_s = _FIRST_BACKOFF_S if time.monotonic() - started_s > _STABLE_S else backoff_s * 2
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), min(backoff_s, _MAX_BACKOFF_S))

    async def _run_once(self, child: _Child) -> None:
        """Run a child from its start to its exit."""
        spec = child.spec
        self._home.address_file(spec.name).unlink(missing_ok=True)
        with self._home.log_file(spec.name).open("ab") as log:
            child.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # files of the working directory, a user's, are not imported in place of modules
                "-m",
                spec.module,
                env=environment_of(spec, self._home, child.port),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        process, stopping = child.process, asyncio.create_task(self._stop.wait())
        exiting = asyncio.create_task(process.wait())
        await asyncio.wait({stopping, exiting}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not exiting.done():
            await _end(process, exiting)
        child.process = None

    async def _publish(self) -> None:
        """Write addresses and states to their files whenever they change."""
        written: dict[str, Any] = {}
        while not self._stop.is_set():
            state = self._state()
            if state != written:
                with contextlib.suppress(OSError):  # a full disk: the next round tries again
                    write_json(self._home.models_file, _addresses_of_models(state["services"]))
                    write_json(self._home.mesh_file, state)
                    written = state
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _POLL_S)

    async def _rotate_logs(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError):  # a full disk: the next round tries again
                await asyncio.to_thread(rotate_logs, self._home)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _LOGS_S)

    def _state(self) -> dict[str, Any]:
        options = self._options.model_dump(mode="json")
        return {"pid": os.getpid(), "options": options, "services": [self._state_of(child) for child in self._children]}

    def _state_of(self, child: _Child) -> dict[str, Any]:
        addresses = _read_addresses(self._home, child.spec.name) if child.process else {}
        if addresses:
            child.port = int(addresses["grpc"].rpartition(":")[2])  # a restarted child keeps its port
        return {
            "name": child.spec.name,
            "model": child.spec.model_name,
            "pid": child.process.pid if child.process else None,
            # A restarting child keeps its address, so that callers wait for it.
            "address": addresses.get("grpc")
            or (f"127.0.0.1:{child.port}" if child.num_restarts and child.port else None),
            "metrics": addresses.get("metrics"),
            "num_restarts": child.num_restarts,
        }


def _addresses_of_models(services: list[dict[str, Any]]) -> dict[str, str]:
    """Return the gRPC target of each model: the address of its process, or those of all of them."""
    found: dict[str, list[str]] = {}
    for service in services:
        if service["address"] and service["name"] != ORCHESTRATOR:
            found.setdefault(service["model"], []).append(service["address"])
    return {
        model: addresses[0] if len(addresses) == 1 else f"ipv4:{','.join(addresses)}"
        for model, addresses in found.items()
    }


def _read_addresses(home: Home, service: str) -> dict[str, Any]:
    try:
        addresses: dict[str, Any] = json.loads(home.address_file(service).read_text())
    except FileNotFoundError:
        return {}
    return addresses


async def _end(process: asyncio.subprocess.Process, exiting: "asyncio.Task[int]") -> None:
    process.terminate()
    try:
        await asyncio.wait_for(asyncio.shield(exiting), _STOP_S)
    except TimeoutError:
        process.kill()
        await exiting


def run_supervisor(home: Home, options: MeshOptions) -> None:
    """Supervise a home until SIGTERM; return at once when it has another supervisor."""
    home.make()
    with home.supervising() as acquired:
        if acquired:
            asyncio.run(_Supervisor(home, options).run())
