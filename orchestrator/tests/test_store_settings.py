"""Wrong settings of the store end the orchestrator at its start; without an answer of the store, runs can be read."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill_common.calls import call_unary, connect
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.testing import free_port, start_process

_PROGRAM = ("-m", "lumenmill_orchestrator")


@pytest.fixture
def plain() -> Iterator[HTTPServer]:
    """A server that speaks no HTTPS."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


async def test_wrong_settings_of_the_store_end_the_process_with_their_name(tmp_path: Path, plain: HTTPServer) -> None:
    database = f"sqlite:///{tmp_path}/o.sqlite"
    endpoint = f"127.0.0.1:{plain.server_port}"
    service = start_process(_PROGRAM, tmp_path, database_url=database, store_url="s3://bucket", s3_endpoint=endpoint)
    try:
        assert await asyncio.to_thread(service.process.wait, 60) == 1
    finally:
        service.kill()
    assert service.log.count("LUMENMILL_S3_SECURE") == 1 and "Traceback" not in service.log


async def test_runs_can_be_read_while_the_store_does_not_answer(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/o.sqlite"
    endpoint = f"127.0.0.1:{free_port()}"
    service = start_process(_PROGRAM, tmp_path, database_url=database, store_url="s3://bucket", s3_endpoint=endpoint)
    try:
        addresses = await service.addresses()
        async with connect(addresses["grpc"], SecuritySettings()) as channel:
            stub = run_pb2_grpc.RunServiceStub(channel)
            assert not (await call_unary(stub.ListRuns, run_pb2.ListRunsRequest())).runs
    finally:
        service.kill()
