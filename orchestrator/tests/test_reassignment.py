"""Workflows of replicas that ended are reassigned to others; replicas that did not end relinquish theirs."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from lumenmill_orchestrator.execution import DurableEngine, durable_engine
from lumenmill_orchestrator.execution.durable_engine import workflow
from lumenmill_orchestrator.execution.reassignment import SilenceDetector
from lumenmill_orchestrator.storage import engine_url, make_engine

from .postgres import postgres_server


class _Runs:
    """The workflow of a run, as the test defines it."""

    def __init__(self, execute: Callable[[str], Awaitable[None]]) -> None:
        self._execute = execute

    @workflow
    async def run(self, run_id: str) -> None:
        await self._execute(run_id)


def test_only_a_heartbeat_that_is_unchanged_at_every_reading_is_silent() -> None:
    detector = SilenceDetector(num_readings=3)
    heartbeats = {"ended": 1.0, "slow": 1.0}
    found = []
    for reading in range(8):
        if reading % 3 == 2:
            heartbeats["slow"] += 1.0
        found.append(detector.add_reading(heartbeats))
    assert found == [[], [], [], ["ended"], ["ended"], ["ended"], ["ended"], ["ended"]]
    heartbeats |= {"ended": 0.5, "slow": 9.0}  # it is back, and its clock is wrong
    assert detector.add_reading(heartbeats) == []


def test_a_heartbeat_is_not_silent_at_its_first_reading_however_old_it_is() -> None:
    assert SilenceDetector(num_readings=1).add_reading({"before": -1e9}) == []


async def test_reassigned_workflows_are_relinquished_and_can_be_reassigned_back(tmp_path: Path) -> None:
    started: list[str] = []
    cancelled: list[str] = []

    async def execute_run(run_id: str) -> None:
        started.append(run_id)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(run_id)
            raise

    with postgres_server(tmp_path) as server:
        durable, runs = DurableEngine(server.url, "replica-0"), _Runs(execute_run)
        await durable.launch(runs)
        for run_id in ("own", "reassigned"):
            await _start_run(durable, runs, run_id)
        async with asyncio.timeout(10):
            while len(started) < 2:
                await asyncio.sleep(0.01)
            await durable.relinquish()
            assert cancelled == []
            await asyncio.to_thread(_assign_to, "replica-1", server.url, "run:reassigned")
            await durable.relinquish()
            assert cancelled == ["reassigned"]
            assert (await durable.reassign("replica-1"), await durable.reassign("replica-1")) == (1, 0)
            while len(started) < 3:
                await asyncio.sleep(0.01)
        await durable.relinquish()
        assert (started[2:], cancelled) == (["reassigned"], ["reassigned"])
        await durable.close()


def _assign_to(executor_id: str, database_url: str, workflow_id: str) -> None:
    engine = make_engine(engine_url(database_url))
    change = sa.text("UPDATE dbos.workflow_status SET executor_id = :executor WHERE workflow_uuid = :workflow")
    with engine.begin() as connection:
        assert connection.execute(change, {"executor": executor_id, "workflow": workflow_id}).rowcount == 1
    engine.dispose()


async def test_a_workflow_cancelled_by_a_closed_connection_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable_engine, "_DATABASE_PAUSE_S", 0.1)
    started: list[str] = []
    finished = asyncio.Event()

    async def execute_run(run_id: str) -> None:
        started.append(run_id)
        if len(started) == 1:
            closed: asyncio.Future[None] = asyncio.Future()
            closed.cancel()  # as a closed connection cancels its calls
            await closed
        finished.set()

    durable, runs = await _launched(tmp_path, execute_run)
    await _start_run(durable, runs, "own")
    async with asyncio.timeout(10):
        await finished.wait()
    assert started == ["own", "own"]
    await durable.close()


def test_workflows_that_are_started_during_close_are_left_to_the_next_start(tmp_path: Path) -> None:
    started: list[str] = []

    async def execute_run(run_id: str) -> None:
        started.append(run_id)

    async def start_during_close() -> None:
        durable, runs = await _launched(tmp_path, execute_run)
        may_destroy, destroy = threading.Event(), durable._destroy
        durable._destroy = lambda: destroy() if may_destroy.wait(10) else None  # type: ignore[method-assign]
        closing = asyncio.create_task(durable.close())
        await asyncio.sleep(0.1)
        await _start_run(durable, runs, "own")
        await asyncio.sleep(0.3)
        may_destroy.set()
        await closing

    async def start_again() -> None:
        durable, _ = await _launched(tmp_path, execute_run)
        async with asyncio.timeout(10):
            while not started:
                await asyncio.sleep(0.01)
        await durable.close()

    asyncio.run(start_during_close())
    assert started == []
    asyncio.run(start_again())
    assert started == ["own"]


async def _launched(folder: Path, execute_run: Callable[[str], Awaitable[None]]) -> tuple[DurableEngine, _Runs]:
    durable, runs = DurableEngine(f"sqlite:///{folder}/o.sqlite", "replica-0"), _Runs(execute_run)
    await durable.launch(runs)
    return durable, runs


async def _start_run(durable: DurableEngine, runs: _Runs, run_id: str) -> None:
    await durable.start(runs.run, f"run:{run_id}", run_id)
