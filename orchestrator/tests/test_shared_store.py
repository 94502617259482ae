"""A store that outlives its writers: collections beside runs, lost rows, wrong clocks, lost files."""

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
from .stores import YOUNG_S, collect, grow_old, minio, stored, verify

__all__ = ["minio", "stored"]


@pytest.fixture
async def mesh(tmp_path: Path, stored: StoreSettings) -> AsyncIterator[LocalMesh]:
    async with open_mesh(tmp_path, stored=stored) as opened:
        yield opened


async def test_every_flipped_bit_and_every_lost_file_is_found(mesh: LocalMesh) -> None:
    await mesh.run(SMALL)
    assert await verify(mesh) == (set(), set())
    lost, *hit = (found.artifact for found in mesh.store.list(limit=6))
    mesh.store.delete(lost.sha256)
    for number, artifact in enumerate(hit):
        data = bytearray(mesh.store.read_bytes(artifact))
        data[(number * 7) % len(data)] ^= 1 << number
        mesh.store._replace(mesh.store.key_from(artifact), bytes(data))
    assert await verify(mesh) == ({artifact.sha256 for artifact in hit}, {lost.sha256})


async def test_the_search_for_lost_files_asks_for_none_by_itself_that_is_there(
    mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mesh.run(SMALL, {"num_sets": 12})
    lost = sorted(found.artifact.sha256 for found in mesh.store.list(limit=1000))[::7]
    for sha256 in lost:
        mesh.store.delete(sha256)
    asked, stat = [], mesh.store.stat
    monkeypatch.setattr(mesh.store, "stat", lambda sha256: asked.append(sha256) or stat(sha256))
    engine = make_engine(engine_url(mesh.settings.database_url))
    missing = list(GarbageCollector(engine, mesh.store).missing())
    engine.dispose()
    assert missing == asked == lost


async def test_a_collection_beside_a_run_takes_nothing_that_it_can_reach(mesh: LocalMesh) -> None:
    """It lasts so long that most of what it makes is old while it is under way, and kept by its rows alone."""
    mesh.family.step_s = 0.05
    run_id = await mesh.submit(SMALL, {"num_sets": 10})
    ending = asyncio.create_task(mesh.ended(run_id))
    num_rubbish = num_removed = num_old = 0
    while not ending.done():
        mesh.store.put_bytes(os.urandom(16), "text/plain")
        num_rubbish += 1
        last = await collect(mesh, min_age_s=YOUNG_S)
        num_removed += last.num_removed
        before_s = mesh.store.clock_s() - YOUNG_S
        num_old = max(num_old, sum(found.modified_time_s < before_s for found in mesh.store.list(limit=1000)))
        await asyncio.sleep(0.2)
    assert (await ending).num_samples_accepted == 30
    assert 3 <= num_removed <= num_rubbish and num_old >= 30
    assert await verify(mesh) == (set(), set())


async def test_what_a_crash_left_without_rows_is_kept_while_young_and_then_goes(mesh: LocalMesh) -> None:
    orphan = mesh.store.put_bytes(b"made, and then the service was killed", "text/plain")
    assert (await collect(mesh, min_age_s=YOUNG_S)).num_removed == 0
    await grow_old(mesh)
    mesh.store.put_bytes(b"made, and then the service was killed", "text/plain")
    assert (await collect(mesh, min_age_s=YOUNG_S)).num_removed == 0, "it was just made again"
    await grow_old(mesh)
    assert (await collect(mesh, min_age_s=YOUNG_S)).num_removed == 1
    assert mesh.store.stat(orphan.sha256) is None


async def test_a_wrong_clock_takes_nothing_young(mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    old = mesh.store.put_bytes(b"old", "text/plain")
    await grow_old(mesh)
    young = mesh.store.put_bytes(b"young", "text/plain")
    right = time.time
    for wrong_by_s in (-30 * 86_400, 30 * 86_400):
        monkeypatch.setattr(time, "time", lambda wrong_by_s=wrong_by_s: right() + wrong_by_s)
        assert (await collect(mesh, min_age_s=YOUNG_S, dry_run=True)).num_removed == 1
    assert (await collect(mesh, min_age_s=YOUNG_S)).num_removed == 1
    assert mesh.store.stat(young.sha256) is not None and mesh.store.stat(old.sha256) is None
