"""Runs share a model: short ones do not wait for long ones, and low priority is not starved."""

import asyncio
import time
from pathlib import Path

import pytest

from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2

from .conftest import LocalMesh, open_mesh
from .pods import open_orchestrator, open_pods, run_of, until_run
from .postgres import postgres_server
from .recipes import ONE_IMAGE

_STEP_S = 0.2
_NUM_FLOOD = 3000
_LOW, _NORMAL, _HIGH = (
    generation_pb2.JOB_PRIORITY_LOW, generation_pb2.JOB_PRIORITY_NORMAL, generation_pb2.JOB_PRIORITY_HIGH
)  # fmt: skip


async def _flood(mesh: LocalMesh, priority: int) -> str:
    """Submit a run of thousands of items, and return its id once it keeps the model busy."""
    tags = [f"picture {number}" for number in range(_NUM_FLOOD)]
    run_id = await mesh.submit(ONE_IMAGE, {"tags": tags}, run_id="flood", priority=priority)
    await until_run(mesh, run_id, lambda run: run.steps[0].num_accepted >= 3)
    return run_id


async def _duration_s(mesh: LocalMesh, tag: str, priority: int = _NORMAL) -> float:
    """Return the seconds that a run of one item takes from its submission."""
    began_s = time.monotonic()
    run = await mesh.ended(await mesh.submit(ONE_IMAGE, {"tags": [tag]}, priority=priority), timeout_s=60.0)
    assert run.num_samples_accepted == 1
    return time.monotonic() - began_s


async def test_a_run_of_one_item_beside_one_of_thousands_takes_at_most_three_times_as_long_as_alone(
    tmp_path: Path,
) -> None:
    async with open_pods(tmp_path) as pods:
        await pods.start(step_s=_STEP_S)
        async with open_orchestrator(pods) as mesh:
            alone_s = await _duration_s(mesh, "alone")
            flood = await _flood(mesh, _NORMAL)
            beside_s = [await _duration_s(mesh, f"beside {number}") for number in range(3)]
            assert max(beside_s) <= 3.0 * alone_s, f"{alone_s:.2f} s alone, {beside_s} beside a long run"
            assert (await run_of(mesh, flood)).num_items_done < _NUM_FLOOD
            await mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=flood))


@pytest.mark.parametrize(("high", "low"), [(_HIGH, _NORMAL), (_HIGH, _LOW), (_NORMAL, _LOW)])
async def test_a_flood_of_a_higher_priority_leaves_a_share_to_a_lower_one(tmp_path: Path, high: int, low: int) -> None:
    async with open_pods(tmp_path) as pods:
        pod = await pods.start(step_s=0.02)
        async with open_orchestrator(pods) as mesh:
            flood = await _flood(mesh, high)
            before = pod.family.num_done.total()
            await _duration_s(mesh, "low", priority=low)
            num_between = pod.family.num_done.total() - before
            # Two calls, each after at most seven others in the queue of the orchestrator and seven in that of the pod,
            # and what is computed while the run is submitted and reported.
            assert num_between < 150
            assert (await run_of(mesh, flood)).num_items_done < _NUM_FLOOD, "the flood goes on"
            await mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=flood))


async def test_runs_of_one_priority_share_a_model_equally(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        await pods.start(step_s=0.02)
        async with open_orchestrator(pods) as mesh:
            ids = []
            for name in ("first", "second", "third"):
                tags = [f"{name} {number}" for number in range(400)]
                ids.append(await mesh.submit(ONE_IMAGE, {"tags": tags}, run_id=name))
            await until_run(mesh, "third", lambda run: run.steps[0].num_accepted >= 1)
            before = [await _num_done(mesh, run_id) for run_id in ids]
            await until_run(mesh, "third", lambda run: sum(step.num_accepted for step in run.steps) >= before[2] + 30)
            gained = [await _num_done(mesh, run_id) - count for run_id, count in zip(ids, before, strict=True)]
            assert min(gained) >= 0.6 * max(gained), f"calls of each run: {gained}"
            await asyncio.gather(*(mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=run_id)) for run_id in ids))


async def test_batches_of_paused_runs_do_not_keep_a_run_from_starting(tmp_path: Path) -> None:
    num_batches = 60
    recipe = ONE_IMAGE.replace('{items: "${params.tags}"}', '{items: "${params.tags}", batch_size: 1}')
    with postgres_server(tmp_path) as server:
        async with open_mesh(tmp_path, database_url=server.url, num_active_batches=num_batches) as mesh:
            mesh.family.go_on.clear()
            for number in range(5):
                tags = [f"{number}/{index}" for index in range(num_batches)]
                run_id = await mesh.submit(recipe, {"tags": tags}, run_id=f"paused-{number}")
                await until_run(mesh, run_id, lambda run: run.state == run_pb2.RUN_STATE_RUNNING)
                await mesh.runs.PauseRun(run_pb2.PauseRunRequest(run_id=run_id))
            mesh.family.go_on.set()
            run = await mesh.run(ONE_IMAGE)
            assert run.num_samples_accepted == 1
            for number in range(5):
                await mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=f"paused-{number}"))


async def _num_done(mesh: LocalMesh, run_id: str) -> int:
    return sum(step.num_accepted for step in (await run_of(mesh, run_id)).steps)
