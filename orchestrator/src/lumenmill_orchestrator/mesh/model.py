"""One model of the mesh: the endpoints that serve it now, what is known of it, and why none does when none does."""

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

__all__ = ["MeshModel", "Surroundings"]

_LOOK_S = 0.5
_LONGEST_TICK_S = 5.0
_RESOLVE_S = 2.0
_CHECK_CAPACITY_S = 2.0
# Time in which a pod that is going away, and has no calls any more, can still be asked for a job whose call broke.
_REMEMBER_S = 60.0
_log = get_logger(__name__)


class Surroundings:
    """What all models of a mesh share."""

    def __init__(
        self, security: SecuritySettings, resolve: Resolve, capacity: CapacityProvider, num_asked_at_once: int
    ) -> None:
        self.security, self.capacity, self._resolve = security, capacity, resolve
        self.asking = asyncio.Semaphore(num_asked_at_once)
        # Lookups run in the threads that everything else shares; a name server that hangs must not take all of them.
        self._resolving = asyncio.Semaphore(2)

    async def resolve(self, target: Target) -> list[str] | None:
        """The addresses behind a target now; None when nobody knows."""
        if not target.host:
            return [target.address] if target.address else []
        async with self._resolving:
            return await self._resolve(target.host, target.port)


class MeshModel:
    """A model by the name under which recipes call it, wherever it is and while it is nowhere."""

    def __init__(self, name: str, surroundings: Surroundings, remember: Callable[["MeshModel"], None]) -> None:
        """`remember` is called when it describes itself differently."""
        self.name, self._surroundings, self._remember = name, surroundings, remember
        self.target = Target("")
        self.description: model_pb2.Model | None = None
        """As the newest endpoint that serves tells it, or did last, be it to an earlier process."""
        self.endpoints: dict[str, Endpoint] = {}
        self.departed: dict[str, Endpoint] = {}
        """No longer behind the name, and still there as far as is known: pods that finish their last jobs."""
        self.serving: list[Endpoint] = []
        self.watchers: list[Callable[[], None]] = []
        """Called when what serves has changed, and now and then while nothing does."""
        self.is_wanted: Callable[[], bool] = lambda: False
        """Whether calls wait for it: else nobody is asked what is being done for it."""
        self.absent_since: float | None = time.time()
        """Unix seconds since when nothing serves; None while something does."""
        self.lost_s = 0.0
        """Seconds, over all times, in which nothing served and nothing was on its way."""
        self.lost_before_s = 0.0
        """`lost_s` at the beginning of the present absence."""
        self._capacity: CapacityState | None = None
        self._capacity_task: asyncio.Task[None] | None = None
        self._departed_at_s: dict[str, float] = {}
        self._has_served = asyncio.Event()
        self._wake, self._task = asyncio.Event(), None  # type: tuple[asyncio.Event, asyncio.Task[None] | None]
        self._resolved_at_s, self._capacity_checked_at_s, self._ticked_at_s = (
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
        """Whether an endpoint answers and says that it serves, as far as is known."""
        return bool(self.serving)

    @property
    def willing(self) -> list[Endpoint]:
        """The serving endpoints that have not asked to be left alone; all of them where every one has."""
        return [endpoint for endpoint in self.serving if not endpoint.is_held_back] or self.serving

    @property
    def num_workers(self) -> int:
        """Calls that all serving endpoints work on at once."""
        return sum(endpoint.num_workers for endpoint in self.serving)

    @property
    def reason(self) -> str:
        """Why nothing serves, for people."""
        if self._capacity is not None and self._capacity.reason:
            return self._capacity.reason
        if not self.address:
            return "it is not registered"
        if not self.endpoints:
            return "no pod serves"
        if not any(endpoint.answers for endpoint in self.endpoints.values()):
            return f"nothing answers at {self.address}"
        return f"what answers at {self.address} is not ready"

    def start(self) -> None:
        """Look after it until `stop`."""
        self._task = asyncio.create_task(self._look_after())

    async def stop(self) -> None:
        """Cease, and close every channel."""
        tasks = [task for task in (self._task, self._capacity_task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.watchers.clear()
        for endpoint in (*self.endpoints.values(), *self.departed.values()):
            await endpoint.close()

    def be_at(self, target: Target) -> None:
        """It is registered at another address now, or at none."""
        if target != self.target:
            self.target, self._resolved_at_s = target, -_RESOLVE_S
            self._stand_behind([])
            self._wake.set()

    def look_again(self) -> None:
        """Resolve its name now rather than later, since a call broke."""
        self._resolved_at_s = -_RESOLVE_S
        self._wake.set()

    def request_capacity_check(self) -> None:
        """Check now, when a call begins to wait, whether a pod is being started."""
        if not self.ready:
            self._wake.set()

    async def until_serving(self, longest_s: float) -> None:
        """Return as soon as something serves, or after some seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._has_served.wait()

    async def resolve(self) -> None:
        """Find out which endpoints there are now."""
        target, self._resolved_at_s = self.target, time.monotonic()
        addresses = await self._surroundings.resolve(target)
        if addresses is not None and target == self.target:
            self._stand_behind(addresses)

    def _stand_behind(self, addresses: list[str]) -> None:
        """These are its endpoints. Channels of others stay open, since closing them would cancel the calls on them."""
        for address in [address for address in self.endpoints if address not in addresses]:
            endpoint = self.departed[address] = self.endpoints.pop(address)
            endpoint.stop()
            self._departed_at_s[address] = time.monotonic()
        for address in [address for address in addresses if address not in self.endpoints]:
            known = self.departed.pop(address, None)
            self.endpoints[address] = known if known is not None else self._endpoint(address)
            self.endpoints[address].start()
        self._changed()

    def _endpoint(self, address: str) -> Endpoint:
        around, tls_name = self._surroundings, self.target.host or None
        return Endpoint(address, around.security, tls_name, around.asking, self._changed)

    def _changed(self) -> None:
        self.serving = [endpoint for endpoint in self.endpoints.values() if endpoint.serving]
        if self.serving:
            self.absent_since, self._capacity = None, None
            self._has_served.set()
            # During a rolling upgrade the newest pod speaks for the model.
            self._describe(max(self.serving, key=lambda endpoint: endpoint.number).model)
        elif self.absent_since is None:
            self.absent_since, self.lost_before_s, self._ticked_at_s = time.time(), self.lost_s, time.monotonic()
            self._has_served.clear()
            self._wake.set()
        for watcher in self.watchers:
            watcher()

    def _describe(self, told: model_pb2.Model | None) -> None:
        if told is not None and told != self.description:
            self.description = told
            self._remember(self)

    # While it is looked after.

    async def _look_after(self) -> None:
        while True:
            self._wake.clear()
            try:
                if time.monotonic() - self._resolved_at_s >= _RESOLVE_S:
                    await self.resolve()
                self._check_capacity()
                await self._forget_departed()
            except Exception as error:
                _log.error("a model could not be looked after", model=self.name, exc_info=error)
            self._tick()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()

    def _check_capacity(self) -> None:
        """Check in the background whether a pod is being started: the provider may answer slowly."""
        if self.ready or not self.is_wanted():
            self._capacity = None
            return
        is_checking = self._capacity_task is not None and not self._capacity_task.done()
        if not is_checking and time.monotonic() - self._capacity_checked_at_s >= _CHECK_CAPACITY_S:
            self._capacity_checked_at_s = time.monotonic()
            self._capacity_task = asyncio.create_task(self._fetch_capacity())

    async def _fetch_capacity(self) -> None:
        try:
            state = await self._surroundings.capacity.state_of(self.name)
        except Exception as error:
            _log.error("the state of the capacity of a model could not be read", model=self.name, exc_info=error)
            state = None
        if not self.ready:
            self._tick()
            self._capacity = state

    def _tick(self) -> None:
        """Count the time for which nothing was there or on its way, and let who waits see it."""
        now_s = time.monotonic()
        if not self.ready:
            if self._capacity is None or not self._capacity.is_coming:
                # A process that was paused has not looked meanwhile.
                self.lost_s += min(now_s - self._ticked_at_s, _LONGEST_TICK_S)
            for watcher in self.watchers:
                watcher()
        self._ticked_at_s = now_s

    async def _forget_departed(self) -> None:
        now_s = time.monotonic()
        for address, endpoint in list(self.departed.items()):
            if endpoint.calls:
                self._departed_at_s[address] = now_s
            elif now_s - self._departed_at_s[address] > _REMEMBER_S:
                del self.departed[address], self._departed_at_s[address]
                await endpoint.close()
