"""kill -9 of every process at random moments: no accepted sample is lost, and no completed call is repeated."""

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from lumenmill.orchestrator.v1 import run_pb2

from .process_mesh import MODELS, ORCHESTRATOR, CompletedCall, ProcessMesh, now_s, process_mesh
from .recipe import LIGHTS, SAMPLES_PER_ITEM, num_calls

_NUM_KILLS = 24
_NUM_SETS = 120
# A kill between the moment that a model counts a call and the moment that its result is persisted repeats the call.
_UNTIL_PERSISTED_S = 0.25

pytestmark = pytest.mark.timeout(400)


async def _kill_in_turn(mesh: ProcessMesh, generator: random.Random) -> dict[str, list[float]]:
    """Kill and restart one process after the other, and return the times of the kills by process."""
    killed: dict[str, list[float]] = {name: [] for name in mesh.processes}
    order = [ORCHESTRATOR, *MODELS]
    for number in range(_NUM_KILLS):
        await asyncio.sleep(generator.uniform(0.05, 1.0))
        process = mesh.processes[order[number % len(order)]]
        await process.stop()
        killed[process.name].append(now_s())
        await asyncio.sleep(generator.uniform(0.0, 0.5))
        process.start()
        await process.wait_until_serving()
    return killed


def _assert_complete(run: run_pb2.Run, samples: list[run_pb2.Sample], num_sets: int) -> None:
    assert run.state == run_pb2.RUN_STATE_COMPLETED, run.error
    assert run.num_items_done == num_sets
    assert run.num_samples_accepted == len(samples) == num_sets * SAMPLES_PER_ITEM
    assert len({sample.id for sample in samples}) == len(samples)
    assert all(sample.media["image"].sha256 and sample.caption for sample in samples)
    assert sum(step.num_accepted for step in run.steps) == num_calls(num_sets)
    assert not sum(step.num_failed + step.num_rejected + step.num_skipped for step in run.steps)


def _is_explained(repeated: list[CompletedCall], killed: dict[str, list[float]]) -> bool:
    """Whether a kill followed every completion but the last before its result could be persisted."""
    return all(
        any(0 <= time_s - call.time_s <= _UNTIL_PERSISTED_S for time_s in killed[call.model]) for call in repeated[:-1]
    )


async def test_a_run_survives_kills_of_every_process_at_random_moments(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    with process_mesh(tmp_path, step_s=0.15) as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=_NUM_SETS)
        killed = await _kill_in_turn(mesh, random.Random(seed))  # noqa: S311 - times of kills, no secret
        in_mid_run = (await mesh.run("mine")).state == run_pb2.RUN_STATE_RUNNING
        run = await mesh.ended("mine")
        samples = await mesh.samples("mine")
        calls, repeated = mesh.completed_calls(), mesh.repeated_calls()
    assert in_mid_run, "the run ended before the last kill: make it longer"
    assert sum(map(len, killed.values())) == _NUM_KILLS
    _assert_complete(run, samples, _NUM_SETS)
    assert len({call.request_id for call in calls}) == num_calls(_NUM_SETS)
    unexplained = {key: each for key, each in repeated.items() if not _is_explained(each, killed)}
    assert not unexplained, f"completed more than once with seed {seed}: {unexplained}, kills {killed}"


async def test_results_completed_while_the_orchestrator_was_down_are_reused(tmp_path: Path) -> None:
    with process_mesh(tmp_path, step_s=0.4) as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=12)
        await mesh.wait_for_calls(6)
        await mesh.processes[ORCHESTRATOR].stop()
        num_done = -1
        while num_done != len(mesh.completed_calls()):  # models finish their jobs without a caller
            num_done = len(mesh.completed_calls())
            await asyncio.sleep(1.0)
        for name in MODELS:
            await mesh.processes[name].stop()
        await mesh.start()
        run, samples = await mesh.ended("mine"), await mesh.samples("mine")
        repeated = mesh.repeated_calls()
    assert num_done > 6
    _assert_complete(run, samples, 12)
    assert not repeated


async def test_a_model_finishes_its_jobs_after_sigterm(tmp_path: Path) -> None:
    with process_mesh(tmp_path, step_s=0.8) as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=8)
        await mesh.wait_for_calls(3)
        assert await mesh.processes["imager"].stop(signal.SIGTERM) == 0
        await mesh.start("imager")
        run, samples = await mesh.ended("mine"), await mesh.samples("mine")
        repeated = mesh.repeated_calls()
    _assert_complete(run, samples, 8)
    assert not repeated


async def test_concurrent_runs_share_equal_computations(tmp_path: Path) -> None:
    with process_mesh(tmp_path, step_s=0.03) as mesh:
        await mesh.start()
        for run_id, num_sets in (("first", 10), ("second", 14)):
            await mesh.submit(run_id, LIGHTS, num_sets=num_sets)
        await mesh.wait_for_calls(20)
        await mesh.processes[ORCHESTRATOR].stop()
        await mesh.start(ORCHESTRATOR)
        for run_id, num_sets in (("first", 10), ("second", 14)):
            run = await mesh.ended(run_id)
            assert run.state == run_pb2.RUN_STATE_COMPLETED
            assert len(await mesh.samples(run_id)) == num_sets * SAMPLES_PER_ITEM
        made = Counter(call.call for call in mesh.completed_calls())
        assert not mesh.repeated_calls()
    # Batches of 8: the second batches differ in size, so that three are computed; `second` has every item of `first`.
    assert made["image"] == 14 and made["relight"] == 14 and made["sets"] == 3


async def test_a_cancelled_run_leaves_no_job(tmp_path: Path) -> None:
    with process_mesh(tmp_path, step_s=0.3) as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=40)
        await mesh.wait_for_calls(10)
        async with mesh.runs() as runs:
            await runs.CancelRun(run_pb2.CancelRunRequest(run_id="mine"))
        run = await mesh.ended("mine")
        await asyncio.sleep(0.5)
        num_done = len(mesh.completed_calls())
        await asyncio.sleep(1.5)
        assert len(mesh.completed_calls()) == num_done, "jobs continued after the run was cancelled"
    assert run.state == run_pb2.RUN_STATE_CANCELLED
    assert num_done < num_calls(40)
