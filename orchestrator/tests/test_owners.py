"""Databases that share one store: each is registered there, and none collects artifacts of another one."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.settings import StoreSettings
from lumenmill_common.testing.s3_server import s3_server
from lumenmill_common.testing.small_disk import fill, small_disk
from lumenmill_orchestrator import ownership

from .conftest import LocalMesh, open_mesh
from .recipes import SMALL
from .stores import collect, minio, stored, verify

__all__ = ["minio", "stored"]

_HOURS_S = 3600.0


async def _refusal(mesh: LocalMesh, code: grpc.StatusCode, **options: object) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await collect(mesh, **options)
    assert refused.value.code() is code
    return refused.value.details() or ""


def _advance_clock(monkeypatch: pytest.MonkeyPatch, store: ArtifactStore, by_s: float) -> None:
    """Set the clock of all stores of this kind ahead."""
    clock_s: Callable[[ArtifactStore], float] = type(store).clock_s
    monkeypatch.setattr(type(store), "clock_s", lambda self: clock_s(self) + by_s)


def test_a_database_does_not_collect_artifacts_of_another_one(
    tmp_path: Path, stored: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each orchestrator has an event loop of its own, as in separate processes."""
    store, other_url = open_store_from(stored), f"sqlite:///{tmp_path}/other.sqlite"

    async def other_runs() -> str:
        async with open_mesh(tmp_path, stored=stored, database_url=other_url) as other:
            await other.run(SMALL)
            (other_id,) = other.store.owners()
            return str(other_id)

    async def refused_collection(*retired: str) -> str:
        async with open_mesh(tmp_path, stored=stored) as mesh:
            return await _refusal(mesh, grpc.StatusCode.FAILED_PRECONDITION, min_age_s=0, retired_database_ids=retired)

    async def other_is_whole() -> bool:
        async with open_mesh(tmp_path, stored=stored, database_url=other_url) as other:
            return await verify(other) == (set(), set())

    async def collection_without_the_other(other_id: str, dry_run: bool) -> int:
        async with open_mesh(tmp_path, stored=stored) as mesh:
            return (await collect(mesh, min_age_s=0, retired_database_ids=[other_id], dry_run=dry_run)).num_removed

    other_id = asyncio.run(other_runs())
    assert other_id in asyncio.run(refused_collection())
    assert "are in use, or were recently" in asyncio.run(refused_collection(other_id))
    assert asyncio.run(other_is_whole())
    _advance_clock(monkeypatch, store, 3 * _HOURS_S)
    assert "f" * 32 not in asyncio.run(refused_collection("f" * 32))
    num_unneeded = asyncio.run(collection_without_the_other(other_id, dry_run=True))
    assert other_id in store.owners(), "a dry run unregisters no database"
    assert asyncio.run(collection_without_the_other(other_id, dry_run=False)) == num_unneeded > 0
    assert other_id not in store.owners()


def test_a_clone_with_its_own_identity_does_not_collect_artifacts_of_the_original(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text()
    (statement,) = re.findall(r"^(UPDATE database_identity .*;) *-- SQLite$", guide, re.MULTILINE)

    async def original() -> str:
        async with open_mesh(tmp_path) as mesh:
            return await _until_registered(mesh.store)

    async def clone(original_id: str) -> set[str]:
        async with open_mesh(tmp_path) as mesh:
            assert original_id in await _refusal(mesh, grpc.StatusCode.FAILED_PRECONDITION)
            return set(mesh.store.owners())

    original_id = asyncio.run(original())
    with contextlib.closing(sqlite3.connect(tmp_path / "orchestrator.sqlite", isolation_level=None)) as database:
        database.execute(statement)
        (clone_id,) = database.execute("SELECT id FROM database_identity").fetchone()
    assert re.fullmatch("[0-9a-f]{32}", clone_id)
    assert asyncio.run(clone(original_id)) == {original_id, clone_id}


async def test_an_unregistered_database_registers_again(
    tmp_path: Path, stored: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "_REGISTER_EVERY_S", 0.1)
    async with open_mesh(tmp_path, stored=stored) as mesh:
        own_id = await _until_registered(mesh.store)
        mesh.store.forget_owner(own_id)
        assert await _until_registered(mesh.store) == own_id


async def _until_registered(store: ArtifactStore) -> str:
    async with asyncio.timeout(10):
        while not (owners := await asyncio.to_thread(store.owners)):
            await asyncio.sleep(0.02)
    return next(iter(owners))


def test_runs_can_be_read_while_the_store_is_unavailable(tmp_path: Path) -> None:
    async def run() -> run_pb2.Run:
        async with open_mesh(tmp_path) as mesh:
            return await mesh.run(SMALL)

    async def read(stored: StoreSettings, before: run_pb2.Run) -> None:
        async with open_mesh(tmp_path, stored=stored) as mesh:
            found = (await mesh.runs.GetRun(run_pb2.GetRunRequest(run_id=before.id))).run
            assert found.state == run_pb2.RUN_STATE_COMPLETED
            assert len(await mesh.samples(run_id=found.id)) == before.num_samples_accepted
            assert "store does not answer" in await _refusal(mesh, grpc.StatusCode.UNAVAILABLE)

    key = tmp_path / "key"
    key.write_text("a key of a test")
    nowhere = {"s3_endpoint": "127.0.0.1:9", "s3_access_key_file": key, "s3_secret_key_file": key}
    unavailable = StoreSettings(store_url="s3://lumenmill", s3_secure=False, **nowhere)
    asyncio.run(read(unavailable, asyncio.run(run())))


async def test_a_database_is_registered_as_soon_as_its_store_is_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "_RETRIES", replace(ownership._RETRIES, max_backoff_s=0.1))
    with s3_server(tmp_path) as server:
        async with open_mesh(tmp_path, stored=server.settings()) as mesh:
            await asyncio.to_thread(server.start)
            await _until_registered(mesh.store)
            assert not (await collect(mesh)).num_removed


@contextlib.contextmanager
def _small_store(kind: str, folder: Path) -> Iterator[StoreSettings]:
    if kind == "folder":
        with small_disk(folder, "256k,nr_inodes=24") as disk:
            yield StoreSettings(store_url=f"file://{disk}/store")
    else:
        with small_disk(folder, "48m") as disk, s3_server(disk) as server:
            server.start()
            yield server.settings()


@pytest.mark.parametrize("kind", ["folder", "s3"])
async def test_a_full_store_is_collected_by_a_database_that_it_cannot_register(tmp_path: Path, kind: str) -> None:
    with _small_store(kind, tmp_path) as stored:
        num_stored = fill(open_store_from(stored))
        async with open_mesh(tmp_path, stored=stored) as mesh:
            assert not mesh.store.owners()
            assert (await collect(mesh, min_age_s=0)).num_removed == num_stored
            assert mesh.store.put_bytes(b"more", "text/plain").size_bytes == 4
