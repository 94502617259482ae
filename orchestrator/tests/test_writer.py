"""Group commit: bad rows of one caller fail no other caller."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from lumenmill_orchestrator.storage import (
    CountDelta,
    ExecutionStore,
    GroupWriter,
    Rows,
    RunStore,
    engine_url,
    make_engine,
    upgrade_schema,
)
from lumenmill_orchestrator.storage.schema import executions

from .postgres import postgres_server


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        made = make_engine(engine_url(f"sqlite:///{tmp_path}/o.sqlite"))
        upgrade_schema(made)
        yield made
        made.dispose()
        return
    with postgres_server(tmp_path) as server:
        made = make_engine(engine_url(server.url))
        upgrade_schema(made)
        yield made
        made.dispose()


def _execution(item: str | None, reason: str = "") -> Rows:
    rows = Rows(counts=[CountDelta("run", "image", {"num_failed": 1})])
    rows.add_guard(
        executions, run_id="run", item_id=item, step="image", instance=0, content_key="", verdict=3, reason=reason,
        reused=False, parents="[]", start_time=0.0, duration_s=0.0, num_attempts=1,
    )  # fmt: skip
    return rows


async def test_a_bad_row_fails_only_its_caller_and_nothing_is_counted_twice(engine: sa.Engine) -> None:
    writer = GroupWriter(engine)
    together = [
        _execution("a"),
        _execution(None),
        _execution("b", "a text\0 with a NUL"),
        _execution("a"),
    ]
    writing = [asyncio.create_task(writer.write(rows)) for rows in together]
    await asyncio.sleep(0)
    writer.start()  # all of them are queued
    done = await asyncio.gather(*writing, return_exceptions=True)
    await asyncio.gather(writer.write(_execution("b")), writer.write(_execution("c")))
    await asyncio.to_thread(writer.stop)
    assert [isinstance(error, Exception) for error in done] == [False, True, False, False]
    assert RunStore(engine).totals("run")["image"].num_failed == 3
    assert [row.reason for row in ExecutionStore(engine).of_item("run", "b")] == ["a text with a NUL"]
