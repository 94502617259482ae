"""A real orchestrator and a real tiny mesh, both served over gRPC on free ports."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.orchestrator.v1 import artifact_service_pb2_grpc, run_pb2, run_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.calls import connect
from lumenmill_common.serve import serving
from lumenmill_common.settings import ServiceSettings, StoreSettings
from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings

from .tiny_mesh import TinyFamily, tiny_service


@dataclass
class LocalMesh:
    """A model service and an orchestrator, with their store and database."""

    folder: Path
    store: ArtifactStore
    family: TinyFamily
    channel: grpc.aio.Channel
    settings: OrchestratorSettings
    address: str

    @property
    def runs(self) -> Any:
        return run_pb2_grpc.RunServiceStub(self.channel)

    @property
    def artifacts(self) -> Any:
        return artifact_service_pb2_grpc.ArtifactServiceStub(self.channel)

    async def run(self, recipe: str, parameters: dict[str, Any] | None = None, run_id: str = "") -> run_pb2.Run:
        """Submit a recipe and wait until its run has ended."""
        return await self.ended(await self.submit(recipe, parameters, run_id))

    async def submit(
        self, recipe: str, parameters: dict[str, Any] | None = None, run_id: str = "", priority: int = 0
    ) -> str:
        request = run_pb2.SubmitRunRequest(recipe=recipe, run_id=run_id, priority=priority)  # type: ignore[arg-type]
        request.parameters.update(parameters or {})
        return str((await self.runs.SubmitRun(request)).run.id)

    async def ended(self, run_id: str, timeout_s: float = 30.0) -> run_pb2.Run:
        last = run_pb2.Run()
        async with asyncio.timeout(timeout_s):
            async for response in self.runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id)):
                last = response.run
        return last

    async def samples(self, **wanted: Any) -> list[run_pb2.Sample]:
        response = await self.runs.ListSamples(run_pb2.ListSamplesRequest(page_size=1000, **wanted))
        return list(response.samples)


def counts(run: run_pb2.Run) -> dict[str, run_pb2.StepCounts]:
    return {step.name: step for step in run.steps}


def renew_threads() -> None:
    """Give the loop threads, which DBOS takes from it when an orchestrator ends; the next one of a test needs them."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


@contextlib.asynccontextmanager
async def open_mesh(folder: Path, **more: Any) -> AsyncIterator[LocalMesh]:
    """Serve a tiny model and an orchestrator with its database in `folder`, and its store too unless `stored` is given.

    The model is registered as `model_name`, by default `tiny`; `other_models` are addresses of further ones by name.
    """
    renew_threads()
    stored = more.pop("stored", None) or StoreSettings(store_url=f"file://{folder}/store")
    store = open_store_from(stored)
    family = more.pop("family", None) or TinyFamily(store)
    service_options = {name: more.pop(name) for name in ("num_workers", "max_queue_length") if name in more}
    other_models = "".join(f", {name}: '{address}'" for name, address in more.pop("other_models", {}).items())
    name = more.pop("model_name", "tiny")
    tiny_settings = ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0)
    # The model is served before its store answers, as after a start that preceded an outage.
    tiny = replace(tiny_service(family, **service_options), store=None)
    async with serving(tiny_settings, tiny) as tiny_port:
        settings = OrchestratorSettings(
            listen_address="127.0.0.1:0",
            drain_s=0.0,
            database_url=more.pop("database_url", f"sqlite:///{folder}/orchestrator.sqlite"),
            models=f"{{{name}: '127.0.0.1:{tiny_port}'{other_models}}}",
            **stored.model_dump(),
            **more,
        )
        async with (
            serving(settings, orchestrator_service(settings)) as port,
            connect(f"127.0.0.1:{port}", settings) as channel,
        ):
            yield LocalMesh(folder, store, family, channel, settings, f"127.0.0.1:{port}")


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[LocalMesh]:
    async with open_mesh(tmp_path) as opened:
        yield opened


Opener = Callable[..., Any]
