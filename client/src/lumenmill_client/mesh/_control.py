"""Starts, inspects and stops a local mesh."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill_client._settings import read_security
from lumenmill_client.mesh._home import Home
from lumenmill_client.mesh._models_file import read_models_file
from lumenmill_client.mesh._services import ORCHESTRATOR, MeshOptions
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.errors import FailedPreconditionError, UnavailableError
from lumenmill_common.settings import SecuritySettings

__all__ = [
    "MeshNotReadyError",
    "MeshStatus",
    "ServiceStatus",
    "find_local_address",
    "local_address",
    "no_mesh_error",
    "start_mesh",
    "status",
    "stop_mesh",
]

_START_S, _STOP_S = 180.0, 60.0
# 30 GB of weights may be downloaded first.
_START_WITH_MODELS_S = 3600.0
_STILL_RUNNING = "The other services of the mesh are still running; `lumenmill down` stops them."


class MeshNotReadyError(UnavailableError):
    """The mesh of this machine, or a process of it, does not start."""


@dataclass(frozen=True)
class ServiceStatus:
    """One process of a mesh."""

    name: str
    pid: int | None
    address: str | None
    metrics: str | None
    num_restarts: int
    health: str
    """`SERVING`, `NOT_SERVING` while it loads or drains, or `DOWN`."""
    model: str = ""
    """The model in recipes that it serves, as other processes may too; the state of an older supervisor has none."""


@dataclass(frozen=True)
class MeshStatus:
    """A local mesh."""

    running: bool
    services: tuple[ServiceStatus, ...]

    @property
    def ready(self) -> bool:
        """Return whether all processes are serving."""
        return self.running and bool(self.services) and all(service.health == "SERVING" for service in self.services)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self) | {"ready": self.ready}


def find_local_address(home: Home) -> str | None:
    """Return the address of the orchestrator of the mesh in a home; None without a mesh, and until it is listening."""
    services = home.read_mesh().get("services", []) if home.is_supervised() else []
    for service in services:
        if service["name"] == ORCHESTRATOR and service["address"]:
            return str(service["address"])
    return None


def local_address(home_path: Path) -> str:
    """Return the address of the orchestrator of the mesh in a home.

    Raises:
        UnavailableError: no mesh is running there, or its orchestrator is not listening yet.
    """
    home = Home.at(home_path)
    address = find_local_address(home)
    if address is not None:
        return address
    if not home.is_supervised():
        raise no_mesh_error(home_path)
    raise UnavailableError(
        f"the mesh in {home_path} is still starting, or is stopping; `lumenmill status` shows its services"
    )


def no_mesh_error(home_path: Path) -> UnavailableError:
    """Return the error of commands that find no running mesh in a home."""
    return UnavailableError(
        f"no mesh is running in {home_path}; start one with `lumenmill up`, or set LUMENMILL_ADDRESS"
    )


def status(home: Home) -> MeshStatus:
    """Return the state of the mesh of a home, with the health of every process."""
    if not home.is_supervised():
        return MeshStatus(running=False, services=())
    services = home.read_mesh().get("services", [])
    return MeshStatus(running=True, services=asyncio.run(_with_health(services)))


async def _with_health(services: list[dict[str, Any]]) -> tuple[ServiceStatus, ...]:
    healths = await asyncio.gather(*(_health(service["address"]) for service in services))
    return tuple(ServiceStatus(**service, health=health) for service, health in zip(services, healths, strict=True))


async def _health(address: str | None) -> str:
    if not address:
        return "DOWN"
    async with connect(address, read_security(SecuritySettings)) as channel:
        check: Any = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # absent from its stubs
        try:
            request = health_pb2.HealthCheckRequest()
            response = await check(request, timeout=2)
        except grpc.RpcError:
            return "DOWN"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))


def start_mesh(home: Home, options: MeshOptions, on_change: Callable[[MeshStatus], None]) -> MeshStatus:
    """Start the mesh of a home unless it is running, and wait until all processes are serving.

    Raises:
        MeshNotReadyError: a process exited while the mesh started, with the end of its log; or it took too long. What
            has started is still running. Or the mesh was stopped meanwhile.
        FailedPreconditionError: the mesh is running with other options.
    """
    home.make()
    if options.models_file:
        read_models_file(options.models_file)  # reports a wrong file here, not in the log of the supervisor
    logged = {log: log.stat().st_size for log in home.log_files()}
    num_restarts: dict[str, int] = {}
    if home.is_supervised():
        _check_same_options(home, options)
        num_restarts = _num_restarts(home)
    else:
        _start_supervisor(home, options)
    start_s = _START_WITH_MODELS_S if options.models_file else _START_S
    deadline_s = time.monotonic() + start_s
    while time.monotonic() < deadline_s:
        exited = [name for name, number in _num_restarts(home).items() if number > num_restarts.get(name, 0)]
        if exited:
            raise MeshNotReadyError("\n".join([*(_exit_of(home, name, logged) for name in exited), _STILL_RUNNING]))
        state = status(home)
        if not state.running:
            raise _not_running(home)
        on_change(state)
        if state.ready and _all_registered(state):
            return state
        time.sleep(0.2)
    raise MeshNotReadyError(
        f"the mesh was not ready within {start_s:.0f} s; logs are in {home.root / 'logs'}\n{_STILL_RUNNING}"
    )


def _not_running(home: Home) -> MeshNotReadyError:
    """Return the error for a mesh whose supervisor ended while it started; one that was stopped removes its state."""
    if not home.mesh_file.exists():
        return MeshNotReadyError("the mesh was stopped while it started, as by `lumenmill down`")
    return MeshNotReadyError(f"the supervisor of the mesh ended:\n{_tail(home.log_file('supervisor'))}")


def _num_restarts(home: Home) -> dict[str, int]:
    return {service["name"]: service["num_restarts"] for service in home.read_mesh().get("services", [])}


def _exit_of(home: Home, name: str, logged: Mapping[Path, int]) -> str:
    log = home.log_file(name)
    return f"{name} does not start:\n{_tail(log, logged.get(log, 0))}"


def _check_same_options(home: Home, options: MeshOptions) -> None:
    """Check that the running mesh has the requested options; defaults match any value."""
    running = home.read_mesh().get("options", {})
    requested = options.absolute().model_dump(mode="json", exclude_defaults=True)
    different = [name for name, value in requested.items() if name in running and running[name] != value]
    if different:
        names = ", ".join(name.removesuffix("_dir").removesuffix("_file").replace("_", " ") for name in different)
        raise FailedPreconditionError(f"the mesh is running with other {names}; stop it with `lumenmill down` first")


def _all_registered(state: MeshStatus) -> bool:
    """Return whether the orchestrator has registered all models; it reads their addresses once they are serving."""
    address = next(service.address for service in state.services if service.name == ORCHESTRATOR)
    try:
        ready = asyncio.run(_ready_models(str(address)))
    except UnavailableError:
        return False
    return {service.model or service.name for service in state.services} <= ready | {ORCHESTRATOR}


async def _ready_models(address: str) -> set[str]:
    async with connect(address, read_security(SecuritySettings)) as channel:
        response = await call_unary(run_pb2_grpc.RunServiceStub(channel).ListModels, run_pb2.ListModelsRequest())
    return {model.name for model in response.models if model.ready}


def _start_supervisor(home: Home, options: MeshOptions) -> None:
    home.mesh_file.unlink(missing_ok=True)
    with home.log_file("supervisor").open("ab") as log:
        # With -P, files of the working directory, a user's, are not imported in place of modules.
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "lumenmill_client.mesh", str(home.root), options.absolute().model_dump_json()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline_s = time.monotonic() + 20.0
    while not home.is_supervised() or not home.mesh_file.exists():
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise MeshNotReadyError(f"the supervisor does not start:\n{_tail(home.log_file('supervisor'))}")
        time.sleep(0.05)


def stop_mesh(home: Home) -> bool:
    """Stop the mesh of a home and wait until it has drained; return whether one was running.

    Raises:
        UnavailableError: it does not stop.
    """
    if not home.is_supervised():
        return False
    os.kill(int(home.read_mesh()["pid"]), signal.SIGTERM)
    deadline_s = time.monotonic() + _STOP_S
    while home.is_supervised():
        if time.monotonic() > deadline_s:
            raise UnavailableError(f"the mesh does not stop; see {home.log_file('supervisor')}")
        time.sleep(0.05)
    return True


def _tail(log: Path, start: int = 0, num_lines: int = 12) -> str:
    """Return the last lines of a log that were written after its byte `start`; it may have been rotated since."""
    data = log.read_bytes()
    text = data[start if start <= len(data) else 0 :].decode(errors="replace")
    return "\n".join(text.splitlines()[-num_lines:])
