"""kill -9 of every process at random moments: nothing accepted is lost, and what was finished is not made again."""

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from lumenmill.orchestrator.v1 import run_pb2

from .fleet import MODELS, ORCHESTRATOR, Done, Fleet, fleet, now_s
from .recipe import LIGHTS, SAMPLES_PER_ITEM, num_calls

_NUM_KILLS = 24
_NUM_SETS = 120
# Between the moment that a model counts a call and the moment that its result is kept, a kill costs the call once more.
_NOT_KEPT_YET_S = 0.25

pytestmark = pytest.mark.timeout(400)


async def _kill_in_turn(fleet: Fleet, dice: random.Random) -> dict[str, list[float]]:
    """Kills one process after the other; when each was killed."""
    killed: dict[str, list[float]] = {name: [] for name in fleet.parts}
    order = [ORCHESTRATOR, *MODELS]
    for number in range(_NUM_KILLS):
        await asyncio.sleep(dice.uniform(0.05, 1.0))
        part = fleet.parts[order[number % len(order)]]
        await part.end()
        killed[part.name].append(now_s())
        await asyncio.sleep(dice.uniform(0.0, 0.5))
        part.start()
        await part.up()
    return killed


def _assert_complete(run: run_pb2.Run, samples: list[run_pb2.Sample], num_sets: int) -> None:
    assert run.state == run_pb2.RUN_STATE_COMPLETED, run.error
    assert run.num_items_done == num_sets
    assert run.num_samples_accepted == len(samples) == num_sets * SAMPLES_PER_ITEM
    assert len({sample.id for sample in samples}) == len(samples)
    assert all(sample.media["image"].sha256 and sample.caption for sample in samples)
    assert sum(step.num_accepted for step in run.steps) == num_calls(num_sets)
    assert not sum(step.num_failed + step.num_rejected + step.num_skipped for step in run.steps)


def _excused(again: list[Done], killed: dict[str, list[float]]) -> bool:
    """Whether every life but the last ended before the result could be kept."""
    return all(
        any(0 <= time_s - done.time_s <= _NOT_KEPT_YET_S for time_s in killed[done.model]) for done in again[:-1]
    )


async def test_every_process_killed_in_turn_at_random_moments(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    with fleet(tmp_path, step_s=0.15) as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=_NUM_SETS)
        killed = await _kill_in_turn(mesh, random.Random(seed))  # noqa: S311 - places of kills, no secret
        in_mid_run = (await mesh.run("mine")).state == run_pb2.RUN_STATE_RUNNING
        run = await mesh.ended("mine")
        samples = await mesh.samples("mine")
        done, again = mesh.done(), mesh.done_more_than_once()
    assert in_mid_run, "the run ended before the last kill: make it longer"
    assert sum(map(len, killed.values())) == _NUM_KILLS
    _assert_complete(run, samples, _NUM_SETS)
    assert len({one.request_id for one in done}) == num_calls(_NUM_SETS)
    unexcused = {key: lives for key, lives in again.items() if not _excused(lives, killed)}
    assert not unexcused, f"made more than once with seed {seed}: {unexcused}, kills {killed}"


async def test_what_was_finished_while_nobody_listened_is_not_made_again(tmp_path: Path) -> None:
    with fleet(tmp_path, step_s=0.4) as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=12)
        await mesh.until_done(6)
        await mesh.parts[ORCHESTRATOR].end()
        num_done = -1
        while num_done != len(mesh.done()):  # what the models hold, they finish for nobody
            num_done = len(mesh.done())
            await asyncio.sleep(1.0)
        for name in MODELS:
            await mesh.parts[name].end()
        await mesh.start()
        run, samples = await mesh.ended("mine"), await mesh.samples("mine")
        again = mesh.done_more_than_once()
    assert num_done > 6
    _assert_complete(run, samples, 12)
    assert not again


async def test_a_model_that_is_asked_to_stop_finishes_its_jobs_first(tmp_path: Path) -> None:
    with fleet(tmp_path, step_s=0.8) as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=8)
        await mesh.until_done(3)
        assert await mesh.parts["imager"].end(signal.SIGTERM) == 0
        await mesh.start("imager")
        run, samples = await mesh.ended("mine"), await mesh.samples("mine")
        again = mesh.done_more_than_once()
    _assert_complete(run, samples, 8)
    assert not again


async def test_two_runs_at_once_share_what_they_have_in_common(tmp_path: Path) -> None:
    with fleet(tmp_path, step_s=0.03) as mesh:
        await mesh.start()
        for run_id, num_sets in (("first", 10), ("second", 14)):
            await mesh.submit(run_id, LIGHTS, num_sets=num_sets)
        await mesh.until_done(20)
        await mesh.parts[ORCHESTRATOR].end()
        await mesh.start(ORCHESTRATOR)
        for run_id, num_sets in (("first", 10), ("second", 14)):
            run = await mesh.ended(run_id)
            assert run.state == run_pb2.RUN_STATE_COMPLETED
            assert len(await mesh.samples(run_id)) == num_sets * SAMPLES_PER_ITEM
        made = Counter(done.call for done in mesh.done())
        assert not mesh.done_more_than_once()
    # Batches of 8: the second batches differ in size, their prompt sets in number; every item of `first` is in `second`.
    assert made["image"] == 14 and made["relight"] == 14 and made["sets"] == 3


async def test_a_run_cancelled_half_way_leaves_no_job(tmp_path: Path) -> None:
    with fleet(tmp_path, step_s=0.3) as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=40)
        await mesh.until_done(10)
        async with mesh.runs() as runs:
            await runs.CancelRun(run_pb2.CancelRunRequest(run_id="mine"))
        run = await mesh.ended("mine")
        await asyncio.sleep(0.5)
        num_done = len(mesh.done())
        await asyncio.sleep(1.5)
        assert len(mesh.done()) == num_done, "jobs went on after the run was cancelled"
    assert run.state == run_pb2.RUN_STATE_CANCELLED
    assert num_done < num_calls(40)
