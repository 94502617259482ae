"""The registered models and their addresses."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path

from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.mesh.addresses import Resolve, Target, parse_addresses, resolve
from lumenmill_orchestrator.mesh.capacity import CapacityProvider, NoCapacityProvider
from lumenmill_orchestrator.mesh.endpoint import Endpoint
from lumenmill_orchestrator.mesh.model_endpoints import MeshContext, ModelEndpoints
from lumenmill_orchestrator.storage import ModelStore, query

__all__ = ["Mesh"]

_READ_EVERY_S = 0.5
_FIRST_PROBES_TIMEOUT_S = 4.0
_MAX_PROBES = 64
_log = get_logger(__name__)


class Mesh:
    """The registered models. A file of addresses is read again when it changes, since restarted services may move."""

    def __init__(
        self,
        models: str,
        security: SecuritySettings,
        descriptions: ModelStore,
        capacity: CapacityProvider | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        """`models` is a file of addresses or the mapping itself; `descriptions` persists those of models."""
        self._inline = parse_addresses(models) if models.lstrip().startswith("{") else None
        self._file = Path(models) if models and self._inline is None else None
        self._file_state: tuple[int, int] | None = None
        self._descriptions = descriptions
        self._context = MeshContext(security, resolve, capacity or NoCapacityProvider(), _MAX_PROBES)
        self._models: dict[str, ModelEndpoints] = {}
        self._registered: dict[str, ModelEndpoints] = {}
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Read persisted descriptions and the registry, probe every model once, and monitor them from then on."""
        for name, description in (await query(self._descriptions.descriptions)).items():
            self.model(name).description = description
        await self._read_registry()
        await asyncio.gather(*(model.resolve() for model in self._registered.values()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_PROBES_TIMEOUT_S):
                await asyncio.gather(*(endpoint.probed.wait() for endpoint in self._endpoints()))
        self._track(asyncio.create_task(self._read_forever()))

    async def stop(self) -> None:
        """Stop monitoring and close the channels."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(model.stop() for model in self._models.values()))

    def models(self) -> Mapping[str, ModelEndpoints]:
        """Return the registered models by name."""
        return self._registered

    def model(self, name: str) -> ModelEndpoints:
        """Return one model, registered or not: it may be registered later."""
        model = self._models.get(name)
        if model is None:
            model = self._models[name] = ModelEndpoints(name, self._context, self._persist)
            model.start()
        return model

    def num_workers(self) -> dict[str, int]:
        """Return the number of workers of all serving endpoints by model."""
        return {name: model.num_workers for name, model in self._registered.items()}

    async def refresh(self) -> None:
        """Read the registry if it changed, and probe every endpoint now."""
        await self._read_registry()
        await asyncio.gather(*(endpoint.probe() for endpoint in self._endpoints()))

    def _endpoints(self) -> list[Endpoint]:
        return [endpoint for model in self._registered.values() for endpoint in model.endpoints.values()]

    async def _read_forever(self) -> None:
        while True:
            await asyncio.sleep(_READ_EVERY_S)
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
            self.model(name).set_target(Target.of(address))
        for name in [name for name in self._registered if name not in addresses]:
            self._models[name].set_target(Target(""))
        self._registered = {name: self._models[name] for name in addresses}

    def _changed_addresses(self) -> dict[str, str] | None:
        """Return the addresses in the file when it changed; None when it did not or does not exist."""
        if self._file is None:
            return None
        try:
            stat = self._file.stat()
            if (stat.st_mtime_ns, stat.st_ino) == self._file_state:
                return None
            addresses = parse_addresses(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            _log.error(
                "the file of models is not valid; the last valid one stays in effect",
                file=str(self._file),
                reason=str(error),
            )
            return None
        self._file_state = (stat.st_mtime_ns, stat.st_ino)
        return addresses

    def _persist(self, model: ModelEndpoints) -> None:
        """Start to persist a description, for times in which no endpoint serves."""
        self._track(asyncio.create_task(self._write(model)))

    async def _write(self, model: ModelEndpoints) -> None:
        async with self._writing:
            if model.description is None:
                return
            try:
                await query(self._descriptions.save, model.name, model.address, model.description)
            except Exception as error:
                _log.error("the description of a model could not be persisted", model=model.name, exc_info=error)

    def _track(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
