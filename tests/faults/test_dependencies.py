"""Dependencies of the mesh fail for a while: the run waits and continues."""

import asyncio
import contextlib
import sqlite3
import subprocess
from pathlib import Path

import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.testing.s3_server import s3_server
from lumenmill_common.testing.small_disk import small_disk

from .process_mesh import MODELS, ORCHESTRATOR, ProcessMesh, process_mesh
from .recipe import LIGHTS, SAMPLES_PER_ITEM

pytestmark = pytest.mark.timeout(240)
_NUM_SETS = 10


async def _assert_complete(mesh: ProcessMesh) -> None:
    run = await mesh.ended("mine")
    assert run.state == run_pb2.RUN_STATE_COMPLETED, run.error
    assert not sum(step.num_failed for step in run.steps)
    assert len(await mesh.samples("mine")) == run.num_samples_accepted == _NUM_SETS * SAMPLES_PER_ITEM


async def test_the_orchestrator_starts_before_its_models(tmp_path: Path) -> None:
    with process_mesh(tmp_path, step_s=0.01) as mesh:
        await mesh.start(ORCHESTRATOR)
        await mesh.submit("mine", LIGHTS, num_sets=_NUM_SETS)
        await asyncio.sleep(1.0)
        assert (await mesh.run("mine")).state in (run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING)
        for name in reversed(MODELS):
            await mesh.start(name)
        await _assert_complete(mesh)


async def test_the_database_is_locked_by_another_process(tmp_path: Path) -> None:
    with process_mesh(tmp_path, step_s=0.05) as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=_NUM_SETS)
        await mesh.wait_for_calls(5)
        with contextlib.closing(sqlite3.connect(tmp_path / "orchestrator.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(8.0)
            num_done = len(mesh.completed_calls())
            other.execute("ROLLBACK")
        await _assert_complete(mesh)
        assert len(mesh.completed_calls()) > num_done
        assert not mesh.repeated_calls()


async def test_the_object_store_is_unavailable_for_a_while(tmp_path: Path) -> None:
    with s3_server(tmp_path) as server:
        store = server.start()
        with process_mesh(tmp_path, step_s=0.05, environment=server.environment) as mesh:
            await mesh.start()
            await mesh.submit("mine", LIGHTS, num_sets=_NUM_SETS)
            await mesh.wait_for_calls(8)
            server.stop()
            await asyncio.sleep(3.0)
            server.start()
            await _assert_complete(mesh)
            stored = {artifact.sha256 for sample in await mesh.samples("mine") for artifact in sample.media.values()}
        assert all(store.stat(sha256) is not None for sha256 in stored)


def _enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)


async def test_the_store_is_full_for_a_while(tmp_path: Path) -> None:
    with small_disk(tmp_path, "64k") as disk, process_mesh(tmp_path, step_s=0.01, store=disk / "store") as mesh:
        await mesh.start()
        await mesh.submit("mine", LIGHTS, num_sets=_NUM_SETS)
        await asyncio.sleep(5.0)
        full = await mesh.run("mine")
        assert full.state == run_pb2.RUN_STATE_RUNNING and full.num_samples_accepted < _NUM_SETS * SAMPLES_PER_ITEM
        _enlarge(disk)
        await _assert_complete(mesh)
