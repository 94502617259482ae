"""Replicas of the orchestrator know each other's work, on SQLite and on Postgres."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from lumenmill_orchestrator.fleet.backlog import SharedBacklog
from lumenmill_orchestrator.fleet.load_times import LoadTimes
from lumenmill_orchestrator.mesh import Load
from lumenmill_orchestrator.storage import LoadStore, engine_url, make_engine, upgrade_schema
from lumenmill_orchestrator.storage.schema import replica_loads

from ..postgres import postgres_server


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/loads.sqlite"
        yield from _opened(url)
    else:
        with postgres_server(tmp_path) as server:
            yield from _opened(server.url)


def _opened(url: str) -> Iterator[sa.Engine]:
    engine = make_engine(engine_url(url))
    upgrade_schema(engine)
    yield engine
    engine.dispose()


async def test_the_work_of_all_live_replicas_is_summed(engine: sa.Engine) -> None:
    store = LoadStore(engine)
    here = {"wan": Load(2, 1, 900.0, time.time(), num_calls_at={"10.0.0.7:50051": 1})}
    there = {"wan": Load(0, 3, 300.0, time.time(), num_calls_at={"10.0.0.7:50051": 1, "10.0.0.8:50051": 2})}
    load_times = LoadTimes()
    load_times.recall("zero", 240.0)
    first = SharedBacklog(store, "orchestrator-0", lambda: here, load_times)
    second = SharedBacklog(store, "orchestrator-1", lambda: there, LoadTimes())
    async with first.publishing(), second.publishing():
        async with asyncio.timeout(10):
            while (total := (await first.total())["wan"]).num_calls != 6:
                await asyncio.sleep(0.1)
        assert (total.num_waiting, total.num_in_flight, total.backlog_s) == (2, 4, 1200.0)
        assert total.num_calls_at == {"10.0.0.7:50051": 2, "10.0.0.8:50051": 2}
    stopped_s = time.time()
    with engine.begin() as connection:
        connection.execute(sa.update(replica_loads).values(update_time=time.time() - 31.0))
    here.clear()
    recalled = LoadTimes()
    restarted = SharedBacklog(store, "orchestrator-0", lambda: here, recalled)
    total = (await restarted.total())["wan"]
    assert recalled.of_models() == {"zero": 240.0}, "a model at zero has no pod to measure"
    assert (total.num_calls, total.backlog_s) == (0, 0.0), "a replica that has ended has no work"
    assert total.last_work_time == pytest.approx(stopped_s, abs=5.0), "the time of the last work is kept"


async def test_a_database_that_does_not_answer_blocks_no_caller(tmp_path: Path) -> None:
    opened = _opened(f"sqlite:///{tmp_path}/loads.sqlite")
    store, may_answer = LoadStore(next(opened)), threading.Event()
    read = store.read
    store.read = lambda: read() if may_answer.wait(30) else []  # type: ignore[method-assign]
    backlog = SharedBacklog(store, "orchestrator-0", lambda: {"wan": Load(2, 1, 900.0)}, LoadTimes())
    async with asyncio.timeout(5):
        for _ in range(2):
            assert (await backlog.total())["wan"].backlog_s == 900.0
    may_answer.set()
    opened.close()
