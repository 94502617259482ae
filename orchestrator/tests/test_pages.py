"""Pages of runs and samples stay small, whatever their callers have sent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.storage import RunStore, SampleFilter, SampleStore, engine_url, make_engine, upgrade_schema
from lumenmill_orchestrator.storage.schema import samples

from .conftest import LocalMesh
from .postgres import postgres_server

_NUM = 12
_LARGE = "x" * (3 << 20)
_MAX_PAGE_BYTES = 8 << 20


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/pages.sqlite"
        return
    with postgres_server(tmp_path) as server:
        yield server.url


def _run(number: int, text: str) -> dict[str, Any]:
    return {
        "id": f"run-{number}", "recipe_name": "r", "recipe_file": "r.yaml", "recipe_text": "lumenmill: 1",
        "parameters": json.dumps({"text": text}), "planned_steps": "[]", "model_names": "[]", "content_digest": "",
        "state": run_pb2.RUN_STATE_COMPLETED, "priority": 2, "error": "", "num_items": 0, "create_time": float(number),
    }  # fmt: skip


def test_pages_of_large_rows_are_short_and_complete(database_url: str) -> None:
    engine = make_engine(engine_url(database_url))
    upgrade_schema(engine)
    runs, found = RunStore(engine), SampleStore(engine)
    for number in range(_NUM):
        runs.insert(_run(number, _LARGE), [])
        sample = run_pb2.Sample(id=f"sample-{number}", run_id="run-0", prompt=_LARGE)
        with engine.begin() as connection:
            connection.execute(
                samples.insert().values(
                    id=sample.id, run_id="run-0", item_id="main-000000", kind=1, verdict=1, reason="", group_id="",
                    create_time=0.0, parents="[]", message=sample.SerializeToString(),
                )
            )  # fmt: skip
    listed: list[str] = []
    before, has_more = None, True
    while has_more:
        page, has_more = runs.page(before, 1000)
        assert sum(len(row.parameters) for row in page) <= _MAX_PAGE_BYTES
        listed += [row.id for row in page]
        before = page[-1].seq
    assert listed == [f"run-{number}" for number in reversed(range(_NUM))]
    listed, after, has_more = [], 0, True
    while has_more:
        entries, has_more = found.listed(SampleFilter(run_id="run-0"), after, 1000)
        assert sum(entry.sample.ByteSize() for entry in entries) <= _MAX_PAGE_BYTES
        listed += [entry.sample.id for entry in entries]
        after = entries[-1].seq
    assert listed == [f"sample-{number}" for number in range(_NUM)]
    engine.dispose()


def test_pages_are_bounded_by_bytes_where_characters_have_several(database_url: str) -> None:
    engine = make_engine(engine_url(database_url))
    upgrade_schema(engine)
    runs = RunStore(engine)
    for number in range(_NUM):
        runs.insert(_run(number, "") | {"recipe_text": "\N{ELECTRIC LIGHT BULB}" * (1 << 19)}, [])
    page, has_more = runs.page(None, 1000)
    assert has_more and 1 < len(page) <= _MAX_PAGE_BYTES / (2 << 20)
    engine.dispose()


async def test_one_row_is_returned_however_large_it_is(mesh: LocalMesh) -> None:
    store = RunStore(make_engine(engine_url(mesh.settings.database_url)))
    for number in range(2):
        store.insert(_run(number, _LARGE * 3), [])
    first = await mesh.runs.ListRuns(run_pb2.ListRunsRequest(page_size=1000))
    assert [run.id for run in first.runs] == ["run-1"] and first.next_page_token
    rest = await mesh.runs.ListRuns(run_pb2.ListRunsRequest(page_token=first.next_page_token))
    assert [run.id for run in rest.runs] == ["run-0"] and not rest.next_page_token


@pytest.mark.parametrize("rpc", ["ListRuns", "ListSamples"])
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"page_size": 1001}, "page_size"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "9" * 1000}, "page_token"),
        ({"page_token": "LTE="}, "page_token"),
        ({"page_token": "é"}, "page_token"),
    ],
)
async def test_pages_of_other_sizes_and_tokens_are_refused(mesh: LocalMesh, rpc: str, fields: Any, named: str) -> None:
    request = (run_pb2.ListRunsRequest if rpc == "ListRuns" else run_pb2.ListSamplesRequest)(**fields)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(mesh.runs, rpc)(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert named in (refused.value.details() or "")
