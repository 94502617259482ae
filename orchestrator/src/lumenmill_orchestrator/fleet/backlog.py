"""The work of every model over all replicas of the orchestrator: each tells the others through the database, and itself
after a restart."""

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

_TELL_EVERY_S = 2.0
# Told this often even when nothing has changed, so that others know that this replica lives.
_TELL_AT_LEAST_EVERY_S = 10.0
# A replica that has told nothing for so long has ended: whoever takes its runs over tells of their calls.
_GONE_AFTER_S = 30.0
_READ_EVERY_S = 1.0
_WAIT_FOR_READ_S = 1.0
_LOAD_TIME = "load_time_s"
_log = get_logger(__name__)


class SharedBacklog:
    """What waits and runs for each model, here and in the other replicas."""

    def __init__(
        self,
        store: LoadStore,
        executor_id: str,
        own_loads: Callable[[], Mapping[str, Load]],
        load_times: LoadTimes,
    ) -> None:
        """`load_times` are told beside the work, and recall what others tell: a model at zero has no pod to measure."""
        self._store, self._executor_id, self._own_loads = store, executor_id, own_loads
        self._load_times = load_times
        self._earlier_work_s: dict[str, float] = {}
        self._told: tuple[float, str] = (float("-inf"), "")
        self._others: dict[str, list[Load]] = {}
        self._read_at_s = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell the others inside the block."""
        telling = asyncio.create_task(self._tell_for_ever())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    def own(self) -> dict[str, Load]:
        """The work in this replica by model, as it is now."""
        loads = {model: Load(last_work_s=last_s) for model, last_s in self._earlier_work_s.items()}
        for model, load in self._own_loads().items():
            earlier_s = self._earlier_work_s.get(model)
            loads[model] = load if load.last_work_s is not None else replace(load, last_work_s=earlier_s)
        return loads

    async def total(self) -> dict[str, Load]:
        """The work in all replicas by model. That of others is a few seconds old, older while the database is away."""
        is_reading = self._reading is not None and not self._reading.done()
        if not is_reading and time.monotonic() - self._read_at_s > _READ_EVERY_S:
            self._reading = asyncio.create_task(self._read())
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=_WAIT_FOR_READ_S)
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
            is_gone = time.time() - row.time_s > _GONE_AFTER_S
            for model, told in json.loads(row.loads).items():
                load = _load_from(told)
                if told.get(_LOAD_TIME) is not None:
                    self._load_times.recall(model, told[_LOAD_TIME])
                if row.executor_id == self._executor_id:
                    # What this replica did before it was started again.
                    if load.last_work_s is not None:
                        self._earlier_work_s.setdefault(model, load.last_work_s)
                else:
                    others.setdefault(model, []).append(Load(last_work_s=load.last_work_s) if is_gone else load)
        self._others = others

    async def _tell_for_ever(self) -> None:
        await self.total()  # learns when there was work last before anything is written over it
        while True:
            try:
                await self._tell()
            except Exception as error:
                _log.warning("the other replicas could not be told of the backlog", reason=str(error))
            await asyncio.sleep(_TELL_EVERY_S)

    async def _tell(self) -> None:
        own, times_s = self.own(), self._load_times.of_models()
        models = sorted(own.keys() | times_s.keys())
        told = json.dumps(
            {model: asdict(own.get(model, Load())) | {_LOAD_TIME: times_s.get(model)} for model in models}
        )
        told_at_s, before = self._told
        if told != before or time.monotonic() - told_at_s > _TELL_AT_LEAST_EVERY_S:
            await asyncio.to_thread(self._store.write, self._executor_id, told)
            self._told = (time.monotonic(), told)


def _load_from(told: Mapping[str, Any]) -> Load:
    """What a replica told, of this version or of one that knows of more."""
    return Load(**{field.name: told[field.name] for field in fields(Load) if field.name in told})


def _sum_of(loads: Iterable[Load]) -> Load:
    """The work of one model over several replicas."""
    parts = list(loads)
    at: Counter[str] = Counter()
    for part in parts:
        at.update(part.num_calls_at)
    return Load(
        num_waiting=sum(part.num_waiting for part in parts),
        num_in_flight=sum(part.num_in_flight for part in parts),
        backlog_s=sum(part.backlog_s for part in parts),
        last_work_s=max((part.last_work_s for part in parts if part.last_work_s is not None), default=None),
        num_calls_at=at,
    )
