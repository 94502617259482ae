"""The work of every model over all replicas of the orchestrator.

Each replica publishes its own in the database, for the others and for itself after a restart.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.fleet.load_times import LoadTimes
from lumenmill_orchestrator.mesh import Load
from lumenmill_orchestrator.storage import LoadStore

__all__ = ["SharedBacklog"]

_PUBLISH_INTERVAL_S = 2.0
# An unchanged backlog is published this often too, as a sign that the replica is alive.
_MAX_PUBLISH_INTERVAL_S = 10.0
# A replica that has published nothing for so long has ended: the one that takes its runs reports their calls.
_EXPIRES_AFTER_S = 30.0
_READ_INTERVAL_S = 1.0
_READ_TIMEOUT_S = 1.0
_LOAD_TIME = "load_time_s"
_log = get_logger(__name__)


class SharedBacklog:
    """What waits and runs for each model, in this replica and in the others."""

    def __init__(
        self,
        store: LoadStore,
        executor_id: str,
        own_loads: Callable[[], Mapping[str, Load]],
        load_times: LoadTimes,
    ) -> None:
        """`load_times` are published with the work and read back: a model at zero pods has none to measure."""
        self._store, self._executor_id, self._own_loads = store, executor_id, own_loads
        self._load_times = load_times
        self._earlier_work_s: dict[str, float] = {}
        self._published: tuple[float, str] = (float("-inf"), "")
        self._others: dict[str, list[Load]] = {}
        self._read_at_s = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def publishing(self) -> AsyncIterator[None]:
        """Publish the work of this replica inside the block."""
        publishing = asyncio.create_task(self._publish_for_ever())
        try:
            yield
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)

    def own(self) -> dict[str, Load]:
        """Return the work in this replica by model, as it is now."""
        loads = {model: Load(last_work_time=last_s) for model, last_s in self._earlier_work_s.items()}
        for model, load in self._own_loads().items():
            earlier_s = self._earlier_work_s.get(model)
            loads[model] = load if load.last_work_time is not None else replace(load, last_work_time=earlier_s)
        return loads

    async def total(self) -> dict[str, Load]:
        """Return the work in all replicas by model.

        That of the others is a few seconds old, and older while the database does not answer.
        """
        is_reading = self._reading is not None and not self._reading.done()
        if not is_reading and time.monotonic() - self._read_at_s > _READ_INTERVAL_S:
            self._reading = asyncio.create_task(self._read())
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=_READ_TIMEOUT_S)
        own = self.own()
        return {
            model: _sum_of([own.get(model, Load()), *self._others.get(model, [])])
            for model in own.keys() | self._others.keys()
        }

    async def _read(self) -> None:
        try:
            rows = await asyncio.to_thread(self._store.read)
        except Exception as error:
            _log.warning("the backlog of the other replicas could not be read", reason=str(error))
            return
        finally:
            self._read_at_s = time.monotonic()
        others: dict[str, list[Load]] = {}
        for row in rows:
            has_expired = time.time() - row.time_s > _EXPIRES_AFTER_S
            for model, published in json.loads(row.loads).items():
                load = _parse_load(published)
                if published.get(_LOAD_TIME) is not None:
                    self._load_times.recall(model, published[_LOAD_TIME])
                if row.executor_id == self._executor_id:
                    # Published by this replica before it was restarted.
                    if load.last_work_time is not None:
                        self._earlier_work_s.setdefault(model, load.last_work_time)
                else:
                    others.setdefault(model, []).append(
                        Load(last_work_time=load.last_work_time) if has_expired else load
                    )
        self._others = others

    async def _publish_for_ever(self) -> None:
        await self.total()  # reads the time of the last work before its row is overwritten
        while True:
            try:
                await self._publish()
            except Exception as error:
                _log.warning("the backlog could not be published", reason=str(error))
            await asyncio.sleep(_PUBLISH_INTERVAL_S)

    async def _publish(self) -> None:
        own, times_s = self.own(), self._load_times.of_models()
        models = sorted(own.keys() | times_s.keys())
        text = json.dumps(
            {model: asdict(own.get(model, Load())) | {_LOAD_TIME: times_s.get(model)} for model in models}
        )
        published_at_s, before = self._published
        if text != before or time.monotonic() - published_at_s > _MAX_PUBLISH_INTERVAL_S:
            await asyncio.to_thread(self._store.write, self._executor_id, text)
            self._published = (time.monotonic(), text)


def _parse_load(published: Mapping[str, Any]) -> Load:
    """Return the load that a replica published, of this version or of one with more fields."""
    return Load(**{field.name: published[field.name] for field in fields(Load) if field.name in published})


def _sum_of(loads: Iterable[Load]) -> Load:
    """Return the work of one model over several replicas."""
    parts = list(loads)
    num_calls_at: Counter[str] = Counter()
    for part in parts:
        num_calls_at.update(part.num_calls_at)
    return Load(
        num_waiting=sum(part.num_waiting for part in parts),
        num_in_flight=sum(part.num_in_flight for part in parts),
        backlog_s=sum(part.backlog_s for part in parts),
        last_work_time=max((part.last_work_time for part in parts if part.last_work_time is not None), default=None),
        num_calls_at=num_calls_at,
    )
