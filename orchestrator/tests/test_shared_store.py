"""Garbage collection and verification of a store: during runs, after crashes, with wrong clocks and lost files."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lumenmill_common.settings import StoreSettings
from lumenmill_orchestrator.collector import GarbageCollector
from lumenmill_orchestrator.storage import engine_url, make_engine

from .conftest import LocalMesh, open_mesh
from .recipes import SMALL
from .stores import YOUNG_S, collect, make_old, minio, stored, verify

__all__ = ["minio", "stored"]


@pytest.fixture
async def mesh(tmp_path: Path, stored: StoreSettings) -> AsyncIterator[LocalMesh]:
    async with open_mesh(tmp_path, stored=stored) as opened:
        yield opened


async def test_all_flipped_bits_and_lost_files_are_found(mesh: LocalMesh) -> None:
    await mesh.run(SMALL)
    assert await verify(mesh) == (set(), set())
    lost, *damaged = (found.artifact for found in mesh.store.list(limit=6))
    mesh.store.delete(lost.sha256)
    for number, artifact in enumerate(damaged):
        data = bytearray(mesh.store.read_bytes(artifact))
        data[(number * 7) % len(data)] ^= 1 << number
        mesh.store._replace(mesh.store.key_from(artifact), bytes(data))
    assert await verify(mesh) == ({artifact.sha256 for artifact in damaged}, {lost.sha256})


async def test_the_search_for_lost_files_requests_only_missing_ones_individually(
    mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mesh.run(SMALL, {"num_sets": 12})
    lost = sorted(found.artifact.sha256 for found in mesh.store.list(limit=1000))[::7]
    for sha256 in lost:
        mesh.store.delete(sha256)
    requested, stat = [], mesh.store.stat
    monkeypatch.setattr(mesh.store, "stat", lambda sha256: requested.append(sha256) or stat(sha256))
    engine = make_engine(engine_url(mesh.settings.database_url))
    missing = list(GarbageCollector(engine, mesh.store).missing())
    engine.dispose()
    assert missing == requested == lost


async def test_a_collection_during_a_run_removes_nothing_that_the_run_refers_to(mesh: LocalMesh) -> None:
    """Most artifacts of the run are old before it ends, so that only its rows protect them."""
    mesh.family.step_s = 0.05
    run_id = await mesh.submit(SMALL, {"num_sets": 10})
    ending = asyncio.create_task(mesh.ended(run_id))
    num_garbage = num_removed = num_old = 0
    while not ending.done():
        mesh.store.put_bytes(os.urandom(16), "text/plain")
        num_garbage += 1
        last = await collect(mesh, min_age_s=YOUNG_S)
        num_removed += last.num_removed
        before_s = mesh.store.clock_s() - YOUNG_S
        num_old = max(num_old, sum(found.modified_time_s < before_s for found in mesh.store.list(limit=1000)))
        await asyncio.sleep(0.2)
    assert (await ending).num_samples_accepted == 30
    assert 3 <= num_removed <= num_garbage and num_old >= 30
    assert await verify(mesh) == (set(), set())


async def test_artifacts_without_rows_are_removed_only_once_they_are_old(mesh: LocalMesh) -> None:
    orphan = mesh.store.put_bytes(b"made before a crash", "text/plain")
    assert (await collect(mesh, min_age_s=YOUNG_S)).num_removed == 0
    await make_old(mesh)
    mesh.store.put_bytes(b"made before a crash", "text/plain")
    assert (await collect(mesh, min_age_s=YOUNG_S)).num_removed == 0, "it was just written again"
    await make_old(mesh)
    assert (await collect(mesh, min_age_s=YOUNG_S)).num_removed == 1
    assert mesh.store.stat(orphan.sha256) is None


async def test_a_wrong_local_clock_removes_nothing_young(mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    old = mesh.store.put_bytes(b"old", "text/plain")
    await make_old(mesh)
    young = mesh.store.put_bytes(b"young", "text/plain")
    right = time.time
    for wrong_by_s in (-30 * 86_400, 30 * 86_400):
        monkeypatch.setattr(time, "time", lambda wrong_by_s=wrong_by_s: right() + wrong_by_s)
        assert (await collect(mesh, min_age_s=YOUNG_S, dry_run=True)).num_removed == 1
    assert (await collect(mesh, min_age_s=YOUNG_S)).num_removed == 1
    assert mesh.store.stat(young.sha256) is not None and mesh.store.stat(old.sha256) is None
