"""Which models there are, where they answer, and what they say about themselves."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from lumenmill.common.v1 import job_pb2, job_pb2_grpc, model_pb2, model_pb2_grpc
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.errors import LumenmillError, UnavailableError
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import get_logger
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lumenmill_orchestrator.contracts import Method, message_class

__all__ = ["Mesh", "MeshModel", "parse_addresses"]

_REFRESH_S = 0.5
_FRESH_S = 10.0
_ANSWER_WITHIN_S = 3.0
_log = get_logger(__name__)


@dataclass
class MeshModel:
    """One registered model and what is known of it."""

    name: str
    address: str
    channel: grpc.aio.Channel
    serving: asyncio.Event
    """Set while it answers and says that it serves. Whoever waits for a model waits for its name, wherever it moves."""
    model: model_pb2.Model | None = None
    asked_at_s: float = 0.0
    stubs: dict[str, Any] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether it answers and says that it serves, as far as is known."""
        return self.serving.is_set()

    def stub(self, method: Method) -> Any:
        """The callable of a server-streaming RPC."""
        stub = self.stubs.get(method.path)
        if stub is None:
            stub = self.stubs[method.path] = self.channel.unary_stream(
                method.path,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=message_class(method.response).FromString,
            )
        return stub


class Mesh:
    """The registered models. A file of addresses is read again when it changes, since restarted services may move."""

    def __init__(self, models: str, security: SecuritySettings) -> None:
        self._inline = parse_addresses(models) if models.lstrip().startswith("{") else None
        self._file = Path(models) if models and self._inline is None else None
        self._file_state: tuple[int, int] | None = None
        self._security = security
        self._models: dict[str, MeshModel] = {}
        self._serving: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._refreshing: asyncio.Task[None] | None = None
        # Closing a channel would cancel the calls on it. Left open, they break with UNAVAILABLE by themselves and are
        # made again at the new address.
        self._retired: list[grpc.aio.Channel] = []

    async def start(self) -> None:
        """Read the registry, ask every model once, and keep both fresh."""
        await self.refresh()
        self._refreshing = asyncio.create_task(self._refresh_for_ever())

    async def stop(self) -> None:
        """Stop asking and close the channels."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        for channel in (*(entry.channel for entry in self._models.values()), *self._retired):
            await channel.close()

    def models(self) -> Mapping[str, MeshModel]:
        """The registered models by name."""
        return self._models

    def get(self, name: str) -> MeshModel:
        """One model.

        Raises:
            UnavailableError: it is not registered (now).
        """
        entry = self._models.get(name)
        if entry is None:
            raise UnavailableError(f"model `{name}` is not registered now")
        return entry

    async def describe(self, name: str) -> model_pb2.Model:
        """What a model says about itself, at most a few seconds old.

        Raises:
            UnavailableError: it is not registered or does not answer.
        """
        entry = self.get(name)
        if entry.model is None or not entry.ready or time.monotonic() - entry.asked_at_s > _FRESH_S:
            await self._ask(entry)
        if entry.model is None or not entry.ready:
            raise UnavailableError(f"model `{name}` at {entry.address} does not answer")
        return entry.model

    def doubt(self, name: str) -> None:
        """Ask a model again before its next call, because a call to it broke."""
        entry = self._models.get(name)
        if entry is not None:
            entry.serving.clear()

    async def until_serving(self, name: str, longest_s: float) -> None:
        """Return as soon as a model serves (again), or after some seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._serving[name].wait(), longest_s)

    async def cancel_job(self, name: str, request_id: str) -> None:
        """End a job for good; a model that does not answer has no job to end."""
        try:
            stub = job_pb2_grpc.JobServiceStub(self.get(name).channel)
            await call_unary(
                stub.CancelJob, job_pb2.CancelJobRequest(request_id=request_id), timeout_s=_ANSWER_WITHIN_S
            )
        except LumenmillError as error:
            _log.warning("a job could not be cancelled", model=name, request_id=request_id, reason=error.message)

    async def refresh(self, older_than_s: float = 0.0) -> None:
        """Read the registry if it changed, and ask every model that has not answered within some seconds."""
        await self._read_registry()
        now_s = time.monotonic()
        stale = [entry for entry in self._models.values() if not entry.ready or now_s - entry.asked_at_s > older_than_s]
        await asyncio.gather(*(self._ask(entry) for entry in stale))

    async def _refresh_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S)
            try:
                await self.refresh(_FRESH_S)
            except Exception as error:
                _log.error("the mesh could not be looked at", exc_info=error)

    async def _read_registry(self) -> None:
        addresses = self._inline
        if self._file is not None:
            addresses = await asyncio.to_thread(self._changed_addresses)
        if addresses is None:
            return
        for name, address in addresses.items():
            known = self._models.get(name)
            if known is None or known.address != address:
                self._serving[name].clear()
                self._models[name] = MeshModel(
                    name, address, connect(address, self._security), serving=self._serving[name]
                )
                if known is not None:
                    self._retired.append(known.channel)
        for name in [name for name in self._models if name not in addresses]:
            self._serving[name].clear()
            self._retired.append(self._models.pop(name).channel)

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

    async def _ask(self, entry: MeshModel) -> None:
        health: Any = health_pb2_grpc.HealthStub(entry.channel)
        models = model_pb2_grpc.ModelServiceStub(entry.channel)
        try:
            status = await call_unary(health.Check, health_pb2.HealthCheckRequest(), timeout_s=_ANSWER_WITHIN_S)
            answer = await call_unary(models.GetModel, model_pb2.GetModelRequest(), timeout_s=_ANSWER_WITHIN_S)
            answered = True
        except LumenmillError:
            answered = False
        if self._models.get(entry.name) is not entry:
            return  # it has moved meanwhile; its new address speaks for it
        if not answered:
            entry.serving.clear()
            return
        entry.model, entry.asked_at_s = answer.model, time.monotonic()
        if status.status == health_pb2.HealthCheckResponse.SERVING:
            entry.serving.set()
        else:
            entry.serving.clear()


def parse_addresses(text: str) -> dict[str, str]:
    """Names and addresses from JSON or YAML.

    Raises:
        ValueError: it is not a mapping of names to addresses.
    """
    try:
        loaded = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ValueError(f"not YAML: {error}") from None
    if not isinstance(loaded, dict) or not all(isinstance(address, str) for address in loaded.values()):
        raise ValueError("must be a mapping from names of models to addresses")
    return {str(name): address for name, address in loaded.items()}
