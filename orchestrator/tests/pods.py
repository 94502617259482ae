"""A model with as many pods as a test starts: real services, and a resolver of the test."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import open_store
from lumenmill_common.calls import connect
from lumenmill_common.serve import serving
from lumenmill_common.settings import ServiceSettings
from lumenmill_orchestrator.mesh import Mesh, ModelQueues
from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings
from lumenmill_orchestrator.storage import ModelStore, engine_url, make_engine, upgrade_schema

from .conftest import LocalMesh, renew_threads
from .tiny_mesh import TinyFamily, tiny_service

_TINY = Path(__file__).parent / "tiny_mesh.py"
MODELS = "{tiny: 'dns:///tiny.pods:50051'}"


@dataclass
class Pod:
    """One server of the model, which callers cannot distinguish from a process."""

    address: str
    family: TinyFamily
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    @property
    def num_images(self) -> int:
        return self.family.num_done["image"]

    def drain(self) -> None:
        """Refuse new jobs and finish those that it has, as after SIGTERM."""
        self.stop.set()

    async def ended(self) -> None:
        self.drain()
        self.family.go_on.set()
        assert self.task is not None
        await self.task


class Pods:
    """The pods of one model. The name resolves to a pod from the moment that it serves until it is withdrawn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = open_store(f"file://{folder}/store")
        self.addresses: list[str] = []
        self.pods: list[Pod] = []

    async def resolve(self, host: str, port: int) -> list[str] | None:
        assert (host, port) == ("tiny.pods", 50051)
        return list(self.addresses)

    async def start(self, *, step_s: float = 0.0, revision: str = "1", listed: bool = True, **options: Any) -> Pod:
        """Start a pod; `listed` is whether the name resolves to it at once."""
        family = TinyFamily(self.store, step_s=step_s)
        family.revision = revision
        pod = Pod("", family)
        serves = asyncio.get_running_loop().create_future()

        async def serve() -> None:
            settings = ServiceSettings(listen_address="127.0.0.1:0", drain_s=20.0)
            async with serving(settings, tiny_service(family, **options), pod.stop) as bound:
                serves.set_result(bound)
                await pod.stop.wait()

        pod.task = asyncio.create_task(serve())
        pod.address = f"127.0.0.1:{await serves}"
        self.pods.append(pod)
        if listed:
            self.addresses.append(pod.address)
        return pod

    @contextlib.asynccontextmanager
    async def process(self, step_s: float) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start a pod in a process of its own, with four workers, that can be killed; `made` counts its calls."""
        number = len(self.addresses)
        address_file = self.folder / f"pod-{number}.json"
        files = [str(address_file), str(self.folder / f"pod-{number}.made")]
        command = [sys.executable, str(_TINY), f"file://{self.folder}/store", *files, str(step_s)]
        process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
        try:
            await until(address_file.exists, timeout_s=30.0)
            self.addresses.append(str(json.loads(address_file.read_text())["grpc"]))
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def made(self) -> Counter[str]:
        """Return how often the pods that are processes completed each call, by request id."""
        lines = [line for file in self.folder.glob("pod-*.made") for line in file.read_text().splitlines()]
        return Counter(line.split()[2] for line in lines)

    def withdraw(self, address: str) -> None:
        """Remove an address from the name."""
        self.addresses.remove(address)

    def num_images(self) -> list[int]:
        return [pod.num_images for pod in self.pods]

    async def close(self) -> None:
        await asyncio.gather(*(pod.ended() for pod in self.pods))


@contextlib.asynccontextmanager
async def open_pods(folder: Path) -> AsyncIterator[Pods]:
    pods = Pods(folder)
    try:
        yield pods
    finally:
        await pods.close()


@contextlib.asynccontextmanager
async def open_orchestrator(pods: Pods, capacity: Any = None, **more: Any) -> AsyncIterator[LocalMesh]:
    """Serve an orchestrator that resolves the pods by their name."""
    settings = OrchestratorSettings(
        listen_address="127.0.0.1:0",
        drain_s=0.0,
        database_url=f"sqlite:///{pods.folder}/orchestrator.sqlite",
        store_url=f"file://{pods.folder}/store",
        models=MODELS,
        **more,
    )
    renew_threads()
    async with (
        serving(settings, orchestrator_service(settings, resolve=pods.resolve, capacity=capacity)) as port,
        connect(f"127.0.0.1:{port}", settings) as channel,
    ):
        yield LocalMesh(pods.folder, pods.store, TinyFamily(pods.store), channel, settings, f"127.0.0.1:{port}")


@contextlib.asynccontextmanager
async def open_queues(
    pods: Pods, prefetch: int = 4, retry_timeout_s: float = 600.0
) -> AsyncIterator[tuple[Mesh, ModelQueues]]:
    """Open the model queues of the pods, without an orchestrator."""
    engine = make_engine(engine_url(f"sqlite:///{pods.folder}/mesh.sqlite"))
    upgrade_schema(engine)
    mesh = Mesh(MODELS, ServiceSettings(), ModelStore(engine), resolve=pods.resolve)
    await mesh.start()
    try:
        yield mesh, ModelQueues(mesh, prefetch, retry_timeout_s)
    finally:
        await mesh.stop()
        engine.dispose()


async def until(condition: Callable[[], Any], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


async def run_of(mesh: LocalMesh, run_id: str) -> run_pb2.Run:
    return (await mesh.runs.GetRun(run_pb2.GetRunRequest(run_id=run_id))).run  # type: ignore[no-any-return]


async def until_run(mesh: LocalMesh, run_id: str, condition: Callable[[run_pb2.Run], Any]) -> run_pb2.Run:
    """Return the run as soon as it fulfils the condition."""
    async with asyncio.timeout(15):
        while not condition(run := await run_of(mesh, run_id)):
            await asyncio.sleep(0.05)
    return run


class Proxy:
    """A proxy before a pod, whose connections can be closed while the pod runs."""

    def __init__(self, pod: Pod) -> None:
        self._host, _, self._port = pod.address.rpartition(":")
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.address = ""

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Close every connection; new ones are accepted."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, int(self._port))
        self._writers |= {writer, far_writer}
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
