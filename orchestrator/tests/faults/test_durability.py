"""kill -9 at any moment: no sample is lost, and no call is repeated."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill_common.calls import connect
from lumenmill_common.settings import SecuritySettings

from ..postgres import postgres_server
from ..recipes import SMALL

_TINY = Path(__file__).parents[1] / "tiny_mesh.py"
_NUM_SETS, _NUM_LIGHTS = 12, 2
_STEPS_PER_ITEM = 4 + 2 * _NUM_LIGHTS


def _address(file: Path, process: subprocess.Popen[bytes]) -> str:
    give_up_s = time.monotonic() + 30
    while not file.exists():
        assert process.poll() is None, "the process ended"
        assert time.monotonic() < give_up_s
        time.sleep(0.02)
    return str(json.loads(file.read_text())["grpc"])


@contextlib.contextmanager
def _child(command: list[str], environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=os.environ | (environment or {}), stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _tiny_mesh(folder: Path, step_s: float) -> Iterator[str]:
    files = [str(folder / name) for name in ("tiny.json", "made.txt")]
    with _child([sys.executable, str(_TINY), f"file://{folder}/store", *files, str(step_s)]) as process:
        yield _address(Path(files[0]), process)


@contextlib.asynccontextmanager
async def _orchestrator(
    folder: Path, models: str, database_url: str, executor_id: str = "orchestrator-0", **more_environment: str
) -> AsyncIterator[tuple[Any, subprocess.Popen[bytes]]]:
    file = folder / f"{executor_id}.json"
    file.unlink(missing_ok=True)
    environment = {
        "LUMENMILL_LISTEN_ADDRESS": "127.0.0.1:0",
        "LUMENMILL_METRICS_ADDRESS": "",
        "LUMENMILL_ADDRESS_FILE": str(file),
        "LUMENMILL_STORE_URL": f"file://{folder}/store",
        "LUMENMILL_DATABASE_URL": database_url,
        "LUMENMILL_MODELS": models,
        "LUMENMILL_EXECUTOR_ID": executor_id,
        **more_environment,
    }
    with _child([sys.executable, "-m", "lumenmill_orchestrator"], environment) as process:
        address = await asyncio.to_thread(_address, file, process)
        async with connect(address, SecuritySettings()) as channel:
            yield run_pb2_grpc.RunServiceStub(channel), process


@contextlib.asynccontextmanager
async def _two_orchestrators(
    folder: Path, models: str, database_url: str, **more_environment: str
) -> AsyncIterator[list[Any]]:
    """Start two replicas at the same moment, so that each may take workflows of the other."""
    async with contextlib.AsyncExitStack() as stack:
        opened = (
            _orchestrator(folder, models, database_url, f"replica-{number}", **more_environment) for number in (0, 1)
        )
        yield await asyncio.gather(*map(stack.enter_async_context, opened))


def _num_lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def _made(file: Path) -> list[str]:
    """Return call and request id of every completed call, as often as it was completed."""
    return [line.split(maxsplit=1)[1] for line in file.read_text().splitlines()]


async def _kill_during_run(
    runs: Any, process: subprocess.Popen[bytes], run_id: str, num_made: int, made: Path, by: signal.Signals
) -> None:
    async with asyncio.timeout(60):
        while _num_lines(made) < num_made:
            await asyncio.sleep(0.01)
            run = (await runs.GetRun(run_pb2.GetRunRequest(run_id=run_id))).run
            assert run.state in (run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING)
    process.send_signal(by)
    assert await asyncio.to_thread(process.wait) == (0 if by == signal.SIGTERM else -by)


async def _ended(runs: Any, run_id: str) -> run_pb2.Run:
    last = run_pb2.Run()
    async with asyncio.timeout(60):
        async for response in runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id)):
            last = response.run
    return last


async def _execute_through_kills(
    folder: Path, database_url: str, kill_after: list[int], by: signal.Signals = signal.SIGKILL
) -> None:
    made = folder / "made.txt"
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id="mine")
    request.parameters.update({"num_sets": _NUM_SETS, "num_lights": _NUM_LIGHTS})
    with _tiny_mesh(folder, step_s=0.03) as tiny:
        for num_made in kill_after:
            async with _orchestrator(folder, f"{{tiny: '{tiny}'}}", database_url) as (runs, process):
                await runs.SubmitRun(request)
                await _kill_during_run(runs, process, "mine", num_made, made, by)
        async with _orchestrator(folder, f"{{tiny: '{tiny}'}}", database_url) as (runs, _):
            last = await _ended(runs, "mine")
            listed = await runs.ListSamples(run_pb2.ListSamplesRequest(run_id="mine", page_size=1000))
    assert last.state == run_pb2.RUN_STATE_COMPLETED
    assert last.num_items_done == _NUM_SETS
    num_samples = _NUM_SETS * (1 + _NUM_LIGHTS)
    assert last.num_samples_accepted == len({sample.id for sample in listed.samples}) == num_samples
    assert sum(step.num_accepted for step in last.steps) == _NUM_SETS * _STEPS_PER_ITEM + 3
    done = Counter(_made(made))
    assert max(done.values()) == 1, "no call was completed twice"
    assert len(done) == _NUM_SETS * _STEPS_PER_ITEM + 3


async def test_a_run_survives_kills_of_the_orchestrator_on_sqlite(tmp_path: Path) -> None:
    await _execute_through_kills(tmp_path, f"sqlite:///{tmp_path}/o.sqlite", kill_after=[2, 45])


async def test_a_run_continues_after_a_thousand_crashes(tmp_path: Path) -> None:
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id="mine")
    with _tiny_mesh(tmp_path, step_s=0.03) as tiny:
        models, database_url = f"{{tiny: '{tiny}'}}", f"sqlite:///{tmp_path}/o.sqlite"
        async with _orchestrator(tmp_path, models, database_url) as (runs, process):
            await runs.SubmitRun(request)
            await _kill_during_run(runs, process, "mine", 3, tmp_path / "made.txt", signal.SIGKILL)
        with contextlib.closing(sqlite3.connect(f"{tmp_path}/o.sqlite.dbos")) as workflows, workflows:
            crashed = workflows.execute("UPDATE workflow_status SET recovery_attempts = 1000 WHERE status = 'PENDING'")
            assert crashed.rowcount
        async with _orchestrator(tmp_path, models, database_url) as (runs, _):
            last = await _ended(runs, "mine")
    assert (last.state, last.num_samples_accepted) == (run_pb2.RUN_STATE_COMPLETED, 9)


async def test_a_run_survives_sigterm_to_the_orchestrator(tmp_path: Path) -> None:
    await _execute_through_kills(tmp_path, f"sqlite:///{tmp_path}/o.sqlite", kill_after=[25], by=signal.SIGTERM)


async def test_a_run_survives_kills_of_the_orchestrator_on_postgres(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server:
        await _execute_through_kills(tmp_path, server.url, kill_after=[20])


async def test_a_run_survives_a_restart_of_the_database(tmp_path: Path) -> None:
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id="mine")
    request.parameters.update({"num_sets": 12})
    with postgres_server(tmp_path) as server, _tiny_mesh(tmp_path, step_s=0.03) as tiny:
        async with _orchestrator(tmp_path, f"{{tiny: '{tiny}'}}", server.url) as (runs, _):
            await runs.SubmitRun(request)
            async with asyncio.timeout(30):
                while _num_lines(tmp_path / "made.txt") < 20:
                    await asyncio.sleep(0.01)
            watching = asyncio.create_task(_watched(runs, "mine"))
            await asyncio.to_thread(server.stop)
            with pytest.raises(grpc.RpcError) as refused:
                await runs.GetRun(run_pb2.GetRunRequest(run_id="mine"))
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "the database does not answer" in (refused.value.details() or "")
            await asyncio.to_thread(server.start)
            last = await _ended(runs, "mine")
            assert await watching in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
    assert (last.state, last.num_samples_accepted) == (run_pb2.RUN_STATE_COMPLETED, 12 * 3)
    assert max(Counter(_made(tmp_path / "made.txt")).values()) == 1


async def test_a_run_whose_submission_was_cancelled_is_executed_or_not_stored(tmp_path: Path) -> None:
    with _tiny_mesh(tmp_path, step_s=0.0) as tiny:
        async with _orchestrator(tmp_path, f"{{tiny: '{tiny}'}}", f"sqlite:///{tmp_path}/o.sqlite") as (runs, _):
            for number in range(100):
                request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id=f"run-{number}")
                request.parameters.update({"num_sets": 1})
                call = runs.SubmitRun(request)
                await asyncio.sleep(0.0004 * number)
                call.cancel()
            await asyncio.sleep(1.0)
            stored = (await runs.ListRuns(run_pb2.ListRunsRequest(page_size=100))).runs
            assert stored, "every submission was cancelled too early"
            for run in stored:
                assert (await _ended(runs, run.id)).state == run_pb2.RUN_STATE_COMPLETED


async def test_a_run_that_was_stored_and_not_started_is_executed(tmp_path: Path) -> None:
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id="mine")
    request.parameters.update({"num_sets": 1})
    database = tmp_path / "o.sqlite"
    with _tiny_mesh(tmp_path, step_s=0.0) as tiny:
        async with _orchestrator(tmp_path, f"{{tiny: '{tiny}'}}", f"sqlite:///{database}") as (runs, _):
            await runs.SubmitRun(request)
            await _ended(runs, "mine")
            await asyncio.to_thread(_store_without_starting, database, "mine", "left-behind")
            last = await _ended(runs, "left-behind")
    assert (last.state, last.num_samples_accepted) == (run_pb2.RUN_STATE_COMPLETED, 3)


def _store_without_starting(database: Path, run_id: str, new_id: str) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TEMP TABLE copied AS SELECT * FROM runs WHERE id = ?", (run_id,))
        connection.execute(
            "UPDATE copied SET id = ?, state = ?, seq = seq + 1, end_time = NULL", (new_id, run_pb2.RUN_STATE_QUEUED)
        )
        connection.execute("INSERT INTO runs SELECT * FROM copied")


async def test_watches_do_not_delay_the_end_of_an_orchestrator(tmp_path: Path) -> None:
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id="mine")
    request.parameters.update({"num_sets": 100})
    with _tiny_mesh(tmp_path, step_s=0.5) as tiny:
        async with _orchestrator(tmp_path, f"{{tiny: '{tiny}'}}", f"sqlite:///{tmp_path}/o.sqlite") as (runs, process):
            await runs.SubmitRun(request)
            watching = asyncio.create_task(_watched(runs, "mine"))
            await asyncio.sleep(1.0)
            process.terminate()
            assert await watching is grpc.StatusCode.UNAVAILABLE
            async with asyncio.timeout(15):  # of the 30 that calls may take to end
                assert await asyncio.to_thread(process.wait) == 0


async def _watched(runs: Any, run_id: str) -> grpc.StatusCode:
    """Watch the run, and return the status that the watch ends with."""
    try:
        async for _ in runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id)):
            pass
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_two_replicas_share_a_run(tmp_path: Path) -> None:
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id="mine")
    request.parameters.update({"num_sets": 16})
    with postgres_server(tmp_path) as server, _tiny_mesh(tmp_path, step_s=0.01) as tiny:
        models = f"{{tiny: '{tiny}'}}"
        async with _two_orchestrators(tmp_path, models, server.url) as ((first, _), (second, _)):
            await first.SubmitRun(request)
            last = await _ended(second, "mine")
    _check_complete(last, tmp_path / "made.txt", num_sets=16)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
async def test_restarted_replicas_share_the_unfinished_workflows(tmp_path: Path, by: signal.Signals) -> None:
    """A batch and its items may be resumed in different replicas."""
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id="mine")
    request.parameters.update({"num_sets": 24})
    made = tmp_path / "made.txt"
    with postgres_server(tmp_path) as server, _tiny_mesh(tmp_path, step_s=0.05) as tiny:
        models = f"{{tiny: '{tiny}'}}"
        for num_made in (15, 70, 130):
            async with _two_orchestrators(tmp_path, models, server.url) as ((first, one), (second, other)):
                await first.SubmitRun(request)
                await _kill_during_run(first, one, "mine", num_made, made, by)
                await _kill_during_run(second, other, "mine", num_made, made, by)
        async with _two_orchestrators(tmp_path, models, server.url) as (_, (second, _)):
            last = await _ended(second, "mine")
    _check_complete(last, made, num_sets=24)


async def test_workflows_of_a_killed_replica_are_reassigned(tmp_path: Path) -> None:
    made = tmp_path / "made.txt"
    async with _two_reassigning_replicas(tmp_path, num_sets=24, step_s=0.05) as (killed, other):
        await _kill_during_run(*killed, "mine", 40, made, signal.SIGKILL)
        last = await _ended(other[0], "mine")
    _check_complete(last, made, num_sets=24)


async def test_a_paused_replica_relinquishes_reassigned_workflows(tmp_path: Path) -> None:
    made = tmp_path / "made.txt"
    async with _two_reassigning_replicas(tmp_path, num_sets=48, step_s=0.1) as (paused, other):
        async with asyncio.timeout(60):
            while _num_lines(made) < 40:
                await asyncio.sleep(0.01)
            paused[1].send_signal(signal.SIGSTOP)
            await asyncio.sleep(5.0)  # by then the other one has executed its own items
            num_made = _num_lines(made)
            await asyncio.sleep(2.0)
            assert _num_lines(made) == num_made < 300
            while _num_lines(made) == num_made:
                await asyncio.sleep(0.05)
        paused[1].send_signal(signal.SIGCONT)
        last = await _ended(other[0], "mine")
        assert (await paused[0].GetRun(run_pb2.GetRunRequest(run_id="mine"))).run == last
    _check_complete(last, made, num_sets=48)


@contextlib.asynccontextmanager
async def _two_reassigning_replicas(folder: Path, num_sets: int, step_s: float) -> AsyncIterator[list[Any]]:
    """Start two replicas and the run `mine`; workflows are reassigned after 15 seconds without a heartbeat."""
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id="mine")
    request.parameters.update({"num_sets": num_sets})
    with postgres_server(folder) as server, _tiny_mesh(folder, step_s=step_s) as tiny:
        models = f"{{tiny: '{tiny}'}}"
        async with _two_orchestrators(folder, models, server.url, LUMENMILL_REASSIGN_AFTER_S="15") as replicas:
            await replicas[0][0].SubmitRun(request)
            yield replicas


def _check_complete(run: run_pb2.Run, made: Path, num_sets: int) -> None:
    """Check that no sample is lost, and that no call was completed twice."""
    assert (run.state, run.num_items_done) == (run_pb2.RUN_STATE_COMPLETED, num_sets)
    assert run.num_samples_accepted == num_sets * (1 + _NUM_LIGHTS)
    done = Counter(_made(made))
    assert max(done.values()) == 1
    assert len(done) == num_sets * _STEPS_PER_ITEM + num_sets // 4


async def test_calls_follow_a_model_to_its_new_address(tmp_path: Path) -> None:
    models = tmp_path / "models.json"
    made = tmp_path / "made.txt"
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id="mine")
    with contextlib.ExitStack() as first:
        models.write_text(json.dumps({"tiny": first.enter_context(_tiny_mesh(tmp_path, step_s=0.05))}))
        async with _orchestrator(tmp_path, str(models), f"sqlite:///{tmp_path}/o.sqlite") as (runs, _):
            await runs.SubmitRun(request)
            async with asyncio.timeout(30):
                while _num_lines(made) < 5:
                    await asyncio.sleep(0.01)
            first.close()
            (tmp_path / "tiny.json").unlink()
            with _tiny_mesh(tmp_path, step_s=0.01) as moved:
                models.write_text(json.dumps({"tiny": moved}))
                last = await _ended(runs, "mine")
    assert last.num_samples_accepted == 9
    assert not sum(step.num_failed for step in last.steps)
