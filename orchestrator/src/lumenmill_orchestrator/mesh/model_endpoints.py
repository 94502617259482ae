"""The endpoints of one model of the mesh: which serve it now, how it describes itself, and why none serves it."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from lumenmill.common.v1 import model_pb2
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.mesh.addresses import Resolve, Target
from lumenmill_orchestrator.mesh.capacity import CapacityProvider, CapacityState
from lumenmill_orchestrator.mesh.endpoint import Endpoint

__all__ = ["MeshContext", "ModelEndpoints"]

_MONITOR_EVERY_S = 0.5
_MAX_COUNTED_S = 5.0
_RESOLVE_S = 2.0
_CHECK_CAPACITY_S = 2.0
# Time in which a removed endpoint without calls can still be asked for a job whose call broke.
_KEEP_REMOVED_S = 60.0
_log = get_logger(__name__)


class MeshContext:
    """What all models of a mesh share."""

    def __init__(
        self, security: SecuritySettings, resolve: Resolve, capacity: CapacityProvider, max_probes: int
    ) -> None:
        self.security, self.capacity, self._resolve = security, capacity, resolve
        self.probe_limit = asyncio.Semaphore(max_probes)
        # Lookups run in shared threads; a name server that hangs must not occupy all of them.
        self._resolving = asyncio.Semaphore(2)

    async def resolve(self, target: Target) -> list[str] | None:
        """Return the present addresses of a target; None when they cannot be looked up now."""
        if not target.host:
            return target.given
        async with self._resolving:
            return await self._resolve(target.host, target.port)


class ModelEndpoints:
    """The endpoints of a model, by the name that recipes use. There may be none, now or yet."""

    def __init__(self, name: str, context: MeshContext, on_description: Callable[["ModelEndpoints"], None]) -> None:
        """`on_description` is called when its description changes."""
        self.name, self._context, self._on_description = name, context, on_description
        self.target = Target("")
        self.description: model_pb2.Model | None = None
        """Of the newest endpoint that serves; otherwise the last one that this or an earlier process has read."""
        self.endpoints: dict[str, Endpoint] = {}
        self.removed: dict[str, Endpoint] = {}
        """Endpoints whose address was removed, which may be finishing their last jobs."""
        self.serving: list[Endpoint] = []
        self._on_change: Callable[[], None] = _ignore_change
        self._has_waiting_calls: Callable[[], bool] = _never
        self.unserved_since_time: float | None = time.time()
        """Unix seconds since when no endpoint serves; None while one does."""
        self.unserved_s = 0.0
        """Seconds in all in which no endpoint served and no pod was being started."""
        self.unserved_before_s = 0.0
        """`unserved_s` at the beginning of the present outage."""
        self._capacity: CapacityState | None = None
        self._capacity_task: asyncio.Task[None] | None = None
        self._removed_at_s: dict[str, float] = {}
        self._is_serving = asyncio.Event()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._resolved_at_s, self._capacity_checked_at_s, self._counted_at_s = (
            -_RESOLVE_S,
            -_CHECK_CAPACITY_S,
            time.monotonic(),
        )
        metrics.ENDPOINTS.labels(name, "ready").set_function(lambda: len(self.serving))
        metrics.ENDPOINTS.labels(name, "not_ready").set_function(lambda: len(self.endpoints) - len(self.serving))

    @property
    def address(self) -> str:
        """As it is registered; empty when it is not."""
        return self.target.address

    @property
    def ready(self) -> bool:
        """Whether an endpoint serves."""
        return bool(self.serving)

    @property
    def preferred(self) -> list[Endpoint]:
        """The serving endpoints that are not backing off; all of them where every one is."""
        return [endpoint for endpoint in self.serving if not endpoint.is_backing_off] or self.serving

    @property
    def num_workers(self) -> int:
        """Calls that all serving endpoints execute at once."""
        return sum(endpoint.num_workers for endpoint in self.serving)

    @property
    def reason(self) -> str:
        """Why no endpoint serves, for people."""
        if self._capacity is not None and self._capacity.reason:
            return self._capacity.reason
        if not self.address:
            return "it is not registered"
        if not self.endpoints:
            return "no pod serves"
        if not any(endpoint.responds for endpoint in self.endpoints.values()):
            return f"nothing answers at {self.address}"
        return f"what answers at {self.address} is not ready"

    def attach_queue(self, on_change: Callable[[], None], has_waiting_calls: Callable[[], bool]) -> None:
        """Attach the queue of its calls.

        `on_change` is called when the serving endpoints change, and regularly while there is none; the capacity
        provider is queried only while `has_waiting_calls`.
        """
        self._on_change, self._has_waiting_calls = on_change, has_waiting_calls

    def start(self) -> None:
        """Monitor it until `stop`."""
        self._task = asyncio.create_task(self._monitor())

    async def stop(self) -> None:
        """Stop monitoring, and close every channel."""
        tasks = [task for task in (self._task, self._capacity_task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._on_change = _ignore_change
        for endpoint in (*self.endpoints.values(), *self.removed.values()):
            await endpoint.close()

    def set_target(self, target: Target) -> None:
        """Replace the address at which it is registered; an empty one means that it is not."""
        if target != self.target:
            self.target, self._resolved_at_s = target, -_RESOLVE_S
            self._set_addresses([])
            self._wake.set()

    def resolve_soon(self) -> None:
        """Resolve its name now rather than at the next regular time."""
        self._resolved_at_s = -_RESOLVE_S
        self._wake.set()

    def check_capacity_soon(self) -> None:
        """Query now what is being done for it, where no endpoint serves: a call begins to wait."""
        if not self.ready:
            self._wake.set()

    async def wait_until_serving(self, timeout_s: float) -> None:
        """Return as soon as an endpoint serves, or after some seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._is_serving.wait()

    async def resolve(self) -> None:
        """Look up its present endpoints."""
        target, self._resolved_at_s = self.target, time.monotonic()
        addresses = await self._context.resolve(target)
        if addresses is not None and target == self.target:
            self._set_addresses(addresses)

    def _set_addresses(self, addresses: list[str]) -> None:
        """Replace the endpoints. Channels of removed ones stay open, since closing them would cancel their calls."""
        for address in [address for address in self.endpoints if address not in addresses]:
            endpoint = self.removed[address] = self.endpoints.pop(address)
            endpoint.stop()
            self._removed_at_s[address] = time.monotonic()
        for address in [address for address in addresses if address not in self.endpoints]:
            known = self.removed.pop(address, None)
            self.endpoints[address] = known if known is not None else self._endpoint(address)
            self.endpoints[address].start()
        self._changed()

    def _endpoint(self, address: str) -> Endpoint:
        context, tls_name = self._context, self.target.host or None
        return Endpoint(address, context.security, tls_name, context.probe_limit, self._changed)

    def _changed(self) -> None:
        self.serving = [endpoint for endpoint in self.endpoints.values() if endpoint.serving]
        if self.serving:
            self.unserved_since_time, self._capacity = None, None
            self._is_serving.set()
            # During a rolling upgrade the newest pod describes the model.
            self._describe(max(self.serving, key=lambda endpoint: endpoint.number).model)
        elif self.unserved_since_time is None:
            self.unserved_since_time, self.unserved_before_s, self._counted_at_s = (
                time.time(),
                self.unserved_s,
                time.monotonic(),
            )
            self._is_serving.clear()
            self._wake.set()
        self._on_change()

    def _describe(self, description: model_pb2.Model | None) -> None:
        if description is not None and description != self.description:
            self.description = description
            self._on_description(self)

    # Monitoring.

    async def _monitor(self) -> None:
        while True:
            self._wake.clear()
            try:
                if time.monotonic() - self._resolved_at_s >= _RESOLVE_S:
                    await self.resolve()
                self._check_capacity()
                await self._close_removed()
            except Exception as error:
                _log.error("a model could not be monitored", model=self.name, exc_info=error)
            self._count_unserved()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_MONITOR_EVERY_S):
                    await self._wake.wait()

    def _check_capacity(self) -> None:
        """Start a query of what is being done for it; it must not delay the monitoring."""
        if self.ready or not self._has_waiting_calls():
            self._capacity = None
            return
        is_checking = self._capacity_task is not None and not self._capacity_task.done()
        if not is_checking and time.monotonic() - self._capacity_checked_at_s >= _CHECK_CAPACITY_S:
            self._capacity_checked_at_s = time.monotonic()
            self._capacity_task = asyncio.create_task(self._fetch_capacity())

    async def _fetch_capacity(self) -> None:
        try:
            state = await self._context.capacity.state_of(self.name)
        except Exception as error:
            _log.error("the capacity of a model could not be read", model=self.name, exc_info=error)
            state = None
        if not self.ready:
            self._count_unserved()
            self._capacity = state

    def _count_unserved(self) -> None:
        """Add the time in which no endpoint served and no pod was being started, and notify the queue."""
        now_s = time.monotonic()
        if not self.ready:
            if self._capacity is None or not self._capacity.is_coming:
                # A process that was paused did not monitor meanwhile.
                self.unserved_s += min(now_s - self._counted_at_s, _MAX_COUNTED_S)
            self._on_change()
        self._counted_at_s = now_s

    async def _close_removed(self) -> None:
        now_s = time.monotonic()
        for address, endpoint in list(self.removed.items()):
            if endpoint.calls:
                self._removed_at_s[address] = now_s
            elif now_s - self._removed_at_s[address] > _KEEP_REMOVED_S:
                del self.removed[address], self._removed_at_s[address]
                await endpoint.close()


def _ignore_change() -> None:
    """Notify nothing: no queue is attached."""


def _never() -> bool:
    return False
