"""Which models there are, and where they are registered."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.mesh.addresses import Resolve, Target, parse_addresses, resolve
from lumenmill_orchestrator.mesh.capacity import CapacityProvider, NoCapacityProvider
from lumenmill_orchestrator.mesh.endpoint import Endpoint
from lumenmill_orchestrator.mesh.model import MeshModel, Surroundings
from lumenmill_orchestrator.storage import ModelStore, patiently

__all__ = ["Mesh"]

_READ_S = 0.5
_FIRST_ANSWERS_WITHIN_S = 4.0
_MOST_ASKED_AT_ONCE = 64
_log = get_logger(__name__)


class Mesh:
    """The registered models. A file of addresses is read again when it changes, since restarted services may move."""

    def __init__(
        self,
        models: str,
        security: SecuritySettings,
        memory: ModelStore,
        capacity: CapacityProvider | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        """`models` is a file of addresses or the mapping itself; `memory` keeps what models have said of themselves."""
        self._inline = parse_addresses(models) if models.lstrip().startswith("{") else None
        self._file = Path(models) if models and self._inline is None else None
        self._file_state: tuple[int, int] | None = None
        self._memory = memory
        self._around = partial(Surroundings, security, resolve, capacity or NoCapacityProvider(), _MOST_ASKED_AT_ONCE)
        self._surroundings: Surroundings | None = None
        self._models: dict[str, MeshModel] = {}
        self._registered: dict[str, MeshModel] = {}
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Recall what is known, read the registry, ask every model once, and keep all of it fresh."""
        self._surroundings = self._around()
        for name, description in (await asyncio.to_thread(patiently, self._memory.descriptions)).items():
            self.model(name).description = description
        await self._read_registry()
        await asyncio.gather(*(model.resolve() for model in self._registered.values()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_ANSWERS_WITHIN_S):
                await asyncio.gather(*(endpoint.told.wait() for endpoint in self._endpoints()))
        self._keep(asyncio.create_task(self._read_for_ever()))

    async def stop(self) -> None:
        """Stop asking and close the channels."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(model.stop() for model in self._models.values()))

    def models(self) -> Mapping[str, MeshModel]:
        """The registered models by name."""
        return self._registered

    def model(self, name: str) -> MeshModel:
        """One model, registered or not: it may be any moment."""
        model = self._models.get(name)
        if model is None:
            if self._surroundings is None:
                raise RuntimeError("the mesh has not been started")
            model = self._models[name] = MeshModel(name, self._surroundings, self._remember)
            model.start()
        return model

    def num_workers(self) -> dict[str, int]:
        """Workers of all endpoints that serve now, by model."""
        return {name: model.num_workers for name, model in self._registered.items()}

    async def refresh(self) -> None:
        """Read the registry if it changed, and ask everybody now."""
        await self._read_registry()
        await asyncio.gather(*(endpoint.ask() for endpoint in self._endpoints()))

    async def cancel_job(self, request_id: str, endpoints: Iterable[Endpoint]) -> None:
        """End a job for good, wherever it may be."""
        await asyncio.gather(*(endpoint.cancel_job(request_id) for endpoint in endpoints))

    def _endpoints(self) -> list[Endpoint]:
        return [endpoint for model in self._registered.values() for endpoint in model.endpoints.values()]

    async def _read_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_READ_S)
            try:
                await self._read_registry()
            except Exception as error:
                _log.error("the file of models could not be read", exc_info=error)

    async def _read_registry(self) -> None:
        addresses = self._inline if not self._registered else None
        if self._file is not None:
            addresses = await asyncio.to_thread(self._changed_addresses)
        if addresses is None:
            return
        for name, address in addresses.items():
            self.model(name).be_at(Target.of(address))
        for name in [name for name in self._registered if name not in addresses]:
            self._models[name].be_at(Target(""))
        self._registered = {name: self._models[name] for name in addresses}

    def _changed_addresses(self) -> dict[str, str] | None:
        """The addresses in the file when it changed; None when it did not or is not there."""
        if self._file is None:
            return None
        try:
            stat = self._file.stat()
            if (stat.st_mtime_ns, stat.st_ino) == self._file_state:
                return None
            addresses = parse_addresses(self._file.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            _log.error(
                "the file of models is not readable and stays as it was", file=str(self._file), reason=str(error)
            )
            return None
        self._file_state = (stat.st_mtime_ns, stat.st_ino)
        return addresses

    def _remember(self, model: MeshModel) -> None:
        """Keep a description for times in which nothing serves. Nothing waits for that, and nothing fails with it."""
        self._keep(asyncio.create_task(self._write_down(model)))

    async def _write_down(self, model: MeshModel) -> None:
        async with self._writing:
            if model.description is None:
                return
            write = partial(self._memory.save, model.name, model.address, model.description)
            try:
                await asyncio.to_thread(patiently, write)
            except Exception as error:
                _log.error("what a model says of itself could not be kept", model=model.name, exc_info=error)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
