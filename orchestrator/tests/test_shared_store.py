"""A store that outlives its writers: collections beside runs, two databases, lost rows, wrong clocks, lost files."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from lumenmill.orchestrator.v1 import artifact_service_pb2
from lumenmill_orchestrator.collector import GarbageCollector
from lumenmill_orchestrator.storage import engine_url, make_engine

from .conftest import House, open_house
from .recipes import SMALL


async def _collect(house: House, **options: Any) -> artifact_service_pb2.CollectGarbageResponse:
    request = artifact_service_pb2.CollectGarbageRequest(**options)
    *_, last = [response async for response in house.artifacts.CollectGarbage(request)]
    return last


async def _verify(house: House) -> tuple[set[str], set[str]]:
    """Digests of what is damaged, and of what is missing."""
    found = [response async for response in house.artifacts.VerifyStore(artifact_service_pb2.VerifyStoreRequest())]
    return (
        {response.damaged.sha256 for response in found if response.HasField("damaged")},
        {response.missing.sha256 for response in found if response.HasField("missing")},
    )


def _age(house: House, by_s: float, *sha256s: str) -> None:
    """Make stored files older than they are."""
    for path in house.folder.glob("store/objects/??/*"):
        if not sha256s or path.name[:64] in sha256s:
            os.utime(path, (time.time() - by_s, time.time() - by_s))


async def test_every_flipped_bit_and_every_lost_file_is_found(house: House) -> None:
    await house.run(SMALL)
    assert await _verify(house) == (set(), set())
    files = sorted(house.folder.glob("store/objects/??/*"))
    lost, *hit = files[:6]
    lost.unlink()
    for number, path in enumerate(hit):
        data = bytearray(path.read_bytes())
        data[(number * 7) % len(data)] ^= 1 << number
        path.write_bytes(data)
    assert await _verify(house) == ({path.name[:64] for path in hit}, {lost.name[:64]})


async def test_the_search_for_lost_files_asks_for_none_by_itself_that_is_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.run(SMALL, {"num_sets": 12})
    lost = sorted(stored.artifact.sha256 for stored in house.store.list(limit=1000))[::7]
    for sha256 in lost:
        house.store.delete(sha256)
    asked, stat = [], house.store.stat
    monkeypatch.setattr(house.store, "stat", lambda sha256: asked.append(sha256) or stat(sha256))
    engine = make_engine(engine_url(house.settings.database_url))
    missing = list(GarbageCollector(engine, house.store).missing())
    engine.dispose()
    assert missing == asked == lost


async def test_a_collection_beside_a_run_takes_nothing_that_it_can_reach(house: House) -> None:
    house.family.step_s = 0.02
    run_id = await house.submit(SMALL, {"num_sets": 12})
    ending = asyncio.create_task(house.ended(run_id))
    num_removed = 0
    while not ending.done():
        rubbish = house.store.put_bytes(os.urandom(16), "text/plain")
        _age(house, 3600, rubbish.sha256)
        num_removed += (await _collect(house, min_age_s=1800)).num_removed
        await asyncio.sleep(0.05)
    assert (await ending).num_samples_accepted == 36
    assert num_removed >= 3
    assert await _verify(house) == (set(), set())


def test_a_database_does_not_collect_what_another_may_need(tmp_path: Path) -> None:
    """One event loop for each life of an orchestrator, as in processes of their own."""

    async def other_runs() -> str:
        async with open_house(tmp_path, database_url=f"sqlite:///{tmp_path}/other.sqlite") as other:
            await other.run(SMALL)
            (other_id,) = other.store.owners()
            return str(other_id)

    async def refused_collection() -> str:
        async with open_house(tmp_path) as house:
            _age(house, 1e6)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await _collect(house)
            assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            return refused.value.details() or ""

    async def other_is_whole() -> bool:
        async with open_house(tmp_path, database_url=f"sqlite:///{tmp_path}/other.sqlite") as other:
            return await _verify(other) == (set(), set())

    async def collection_without_the_other(other_id: str) -> int:
        async with open_house(tmp_path) as house:
            return (await _collect(house, min_age_s=0, gone_database_ids=[other_id])).num_removed

    other_id = asyncio.run(other_runs())
    assert other_id in asyncio.run(refused_collection())
    assert asyncio.run(other_is_whole())
    assert asyncio.run(collection_without_the_other(other_id)) > 0


async def test_what_a_crash_left_without_rows_is_kept_while_young_and_then_goes(house: House) -> None:
    orphan = house.store.put_bytes(b"made, and then the service was killed", "text/plain")
    assert (await _collect(house)).num_removed == 0
    _age(house, 2 * 86_400, orphan.sha256)
    again = house.store.put_bytes(b"made, and then the service was killed", "text/plain")
    assert (await _collect(house)).num_removed == 0, "it was just made again"
    _age(house, 2 * 86_400, again.sha256)
    assert (await _collect(house)).num_removed == 1
    assert house.store.stat(orphan.sha256) is None


@pytest.mark.parametrize("wrong_by_s", [-30 * 86_400, 30 * 86_400])
async def test_a_wrong_clock_takes_nothing_young(
    house: House, monkeypatch: pytest.MonkeyPatch, wrong_by_s: float
) -> None:
    young = house.store.put_bytes(b"young", "text/plain")
    old = house.store.put_bytes(b"old", "text/plain")
    _age(house, 2 * 86_400, old.sha256)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + wrong_by_s)
    assert (await _collect(house)).num_removed == 1
    assert house.store.stat(young.sha256) is not None and house.store.stat(old.sha256) is None
