"""Workflows of replicas that are gone are taken over by others; those that were not gone let go of theirs."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from lumenmill_orchestrator.storage import engine_url, make_engine
from lumenmill_orchestrator.walk import durable
from lumenmill_orchestrator.walk.durable import DurableWalk, Walkers
from lumenmill_orchestrator.walk.takeover import Silence

from .postgres import postgres_server


def test_only_who_was_silent_at_every_look_is_gone() -> None:
    silence = Silence(num_looks=3)
    told = {"gone": 1.0, "slow": 1.0}
    found = []
    for look in range(8):
        if look % 3 == 2:
            told["slow"] += 1.0
        found.append(silence.look(told))
    assert found == [[], [], [], ["gone"], ["gone"], ["gone"], ["gone"], ["gone"]]
    told |= {"gone": 0.5, "slow": 9.0}  # it is back, and its clock is wrong
    assert silence.look(told) == []


def test_who_was_just_met_is_not_gone_however_old_its_word() -> None:
    assert Silence(num_looks=1).look({"before": -1e9}) == []


async def test_what_others_took_over_is_let_go_and_can_be_taken_back(tmp_path: Path) -> None:
    begun: list[str] = []
    cut_off: list[str] = []

    async def walk_run(run_id: str) -> None:
        begun.append(run_id)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut_off.append(run_id)
            raise

    async def never(*_: object) -> None:
        raise AssertionError("there is nothing but runs here")

    with postgres_server(tmp_path) as server:
        walk = await asyncio.to_thread(DurableWalk, server.url, "replica-0", Walkers(walk_run, never, never))
        await walk.launch()
        for run_id in ("mine", "theirs"):
            await walk.start_run(run_id)
        async with asyncio.timeout(10):
            while len(begun) < 2:
                await asyncio.sleep(0.01)
            await walk.let_go()
            assert cut_off == []
            await asyncio.to_thread(_give_away, server.url, "run:theirs", "replica-1")
            await walk.let_go()
            assert cut_off == ["theirs"]
            assert (await walk.take_over("replica-1"), await walk.take_over("replica-1")) == (1, 0)
            while len(begun) < 3:
                await asyncio.sleep(0.01)
        await walk.let_go()
        assert (begun[2:], cut_off) == (["theirs"], ["theirs"])
        await walk.close()


def _give_away(database_url: str, workflow_id: str, executor_id: str) -> None:
    engine = make_engine(engine_url(database_url))
    change = sa.text("UPDATE dbos.workflow_status SET executor_id = :executor WHERE workflow_uuid = :workflow")
    with engine.begin() as connection:
        assert connection.execute(change, {"executor": executor_id, "workflow": workflow_id}).rowcount == 1
    engine.dispose()


async def test_a_walk_that_nobody_cancelled_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_DATABASE_PAUSE_S", 0.1)
    begun: list[str] = []
    walked = asyncio.Event()

    async def walk_run(run_id: str) -> None:
        begun.append(run_id)
        if len(begun) == 1:
            closed: asyncio.Future[None] = asyncio.Future()
            closed.cancel()  # as a call is by the connection that it was on
            await closed
        walked.set()

    walk = await _launched(tmp_path, walk_run)
    await walk.start_run("mine")
    async with asyncio.timeout(10):
        await walked.wait()
    assert begun == ["mine", "mine"]
    await walk.close()


def test_what_is_begun_while_it_closes_is_left_to_the_next_start(tmp_path: Path) -> None:
    begun: list[str] = []

    async def walk_run(run_id: str) -> None:
        begun.append(run_id)

    async def start_while_it_closes() -> None:
        walk = await _launched(tmp_path, walk_run)
        may_destroy, destroy = threading.Event(), walk._destroy
        walk._destroy = lambda: destroy() if may_destroy.wait(10) else None  # type: ignore[method-assign]
        closing = asyncio.create_task(walk.close())
        await asyncio.sleep(0.1)
        await walk.start_run("mine")
        await asyncio.sleep(0.3)
        may_destroy.set()
        await closing

    async def start_again() -> None:
        walk = await _launched(tmp_path, walk_run)
        async with asyncio.timeout(10):
            while not begun:
                await asyncio.sleep(0.01)
        await walk.close()

    asyncio.run(start_while_it_closes())
    assert begun == []
    asyncio.run(start_again())
    assert begun == ["mine"]


async def _launched(folder: Path, walk_run: Callable[[str], Awaitable[None]]) -> DurableWalk:
    async def never(*_: object) -> None:
        raise AssertionError("there is nothing but runs here")

    walk = DurableWalk(f"sqlite:///{folder}/o.sqlite", "replica-0", Walkers(walk_run, never, never))
    await walk.launch()
    return walk
