"""The database is unavailable for longer than a query is retried."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_common.testing.small_disk import fill_files, small_disk
from lumenmill_orchestrator.execution import durable_engine
from lumenmill_orchestrator.storage import ExecutionStore, RunStore, database, engine_url, make_engine

from ..conftest import LocalMesh
from ..postgres import postgres_server
from ..recipes import SMALL


def _unavailable_at_first(method: Callable[..., Any], num_times: int) -> Callable[..., Any]:
    left = [num_times]

    def called(*arguments: Any, **more: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise sa.exc.OperationalError("", {}, ConnectionError("unavailable"))
        return method(*arguments, **more)

    return called


def test_a_query_waits_for_a_free_connection(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/o.sqlite", pool_size=1, max_overflow=0, pool_timeout=0.05)

    def ask() -> int:
        with engine.connect() as connection:
            return int(connection.execute(sa.text("SELECT 7")).scalar_one())

    held = engine.connect()
    threading.Timer(0.3, held.close).start()
    assert database.retry_database(ask) == 7
    engine.dispose()


def test_a_replica_uses_a_fraction_of_the_connections(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server:
        engine = make_engine(engine_url(server.url))

        def ask(_: int) -> tuple[int, int]:
            with engine.connect() as connection:
                count = sa.text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
                time.sleep(0.02)
                offered = connection.execute(sa.text("SHOW max_connections")).scalar_one()
                return int(connection.execute(count).scalar_one()), int(offered)

        with ThreadPoolExecutor(40) as threads:
            used, offered = max(threads.map(ask, range(80)))
        assert 4 * 2 * used <= offered - 10, "four replicas, of two engines each"
        engine.dispose()


def test_a_full_disk_of_the_database_is_reported_to_callers(tmp_path: Path) -> None:
    with small_disk(tmp_path, "1m") as disk:
        engine = make_engine(engine_url(f"sqlite:///{disk}/o.sqlite"))
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE blobs (bytes BLOB)"))
        fill_files(disk)
        with pytest.raises(sa.exc.OperationalError) as full, engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO blobs VALUES (zeroblob(100000))"))
        engine.dispose()
    reported = database.error_for_callers(full.value)
    assert isinstance(reported, ResourceExhaustedError) and reported.message.startswith(
        "no space left for the database"
    )


@pytest.mark.parametrize(
    ("store", "method"),
    [
        (RunStore, "ended_items"),
        (RunStore, "change_state"),
        (ExecutionStore, "results"),
        (ExecutionStore, "of_item"),
        (ExecutionStore, "one"),
    ],
)
async def test_a_run_continues_when_the_database_is_available_again(
    mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch, store: type, method: str
) -> None:
    monkeypatch.setattr(database, "_RETRIES", replace(database._RETRIES, outage_timeout_s=0.0))
    monkeypatch.setattr(durable_engine, "_DATABASE_PAUSE_S", 0.05)
    monkeypatch.setattr(store, method, _unavailable_at_first(getattr(store, method), 3))
    run = await mesh.run(SMALL)
    assert (run.state, run.num_samples_accepted, run.num_items_done) == (run_pb2.RUN_STATE_COMPLETED, 9, 3)
