"""Messages of `lumenmill` when the mesh cannot be reached, rejects it, or is unavailable for a while."""

import asyncio
import math
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from lumenmill.orchestrator.v1 import fleet_pb2, run_pb2, run_pb2_grpc
from lumenmill_client import ClientSettings
from lumenmill_client._runs import Runs
from lumenmill_client._settings import read_security
from lumenmill_client.command._unreachable import with_advice
from lumenmill_common.calls import connect
from lumenmill_common.errors import InvalidArgumentError, UnavailableError
from lumenmill_common.interceptors import CallInterceptor
from lumenmill_common.retries import RetryPolicy
from lumenmill_common.serve import server_credentials
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.testing.certificates import make_authority, make_certificate

_RUNNING = run_pb2.Run(id="r1", state=run_pb2.RUN_STATE_RUNNING)
_DONE = run_pb2.Run(id="r1", state=run_pb2.RUN_STATE_COMPLETED, num_samples_accepted=1)


class _Mesh(run_pb2_grpc.RunServiceServicer):
    """Responds at once; a run is completed when it is watched for the second time."""

    def __init__(self) -> None:
        self.num_watched = 0

    async def ListRuns(self, request: Any, context: Any) -> run_pb2.ListRunsResponse:  # noqa: N802 - gRPC
        return run_pb2.ListRunsResponse()

    async def GetFleet(self, request: Any, context: Any) -> fleet_pb2.GetFleetResponse:  # noqa: N802 - gRPC
        return fleet_pb2.GetFleetResponse(models=[fleet_pb2.FleetModel(name="studio")])

    async def PlanRecipe(self, request: Any, context: Any) -> run_pb2.PlanRecipeResponse:  # noqa: N802 - gRPC
        problem = run_pb2.RecipeProblem(file="r.yaml", path="parameters.sede", message="unknown parameter `sede`")
        return run_pb2.PlanRecipeResponse(problems=[problem])

    async def WatchRun(self, request: Any, context: Any) -> AsyncIterator[run_pb2.WatchRunResponse]:  # noqa: N802 - gRPC
        self.num_watched += 1
        yield run_pb2.WatchRunResponse(run=_RUNNING if self.num_watched == 1 else _DONE)
        await asyncio.sleep(60)


@asynccontextmanager
async def _serving(
    security: SecuritySettings | None = None,
    credentials: grpc.ServerCredentials | None = None,
    *,
    mesh: _Mesh | None = None,
    port: int = 0,
) -> AsyncIterator[str]:
    server = grpc.aio.server(interceptors=[CallInterceptor(security or SecuritySettings())])
    run_pb2_grpc.add_RunServiceServicer_to_server(mesh or _Mesh(), server)
    at = f"127.0.0.1:{port}"
    bound = server.add_secure_port(at, credentials) if credentials else server.add_insecure_port(at)
    await server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        await server.stop(0)


async def _start(*arguments: str, **environment: object) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LUMENMILL_")}
    given = {f"LUMENMILL_{name.upper()}": str(value) for name, value in environment.items()}
    command = (sys.executable, "-m", "lumenmill_client.command", *arguments)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, env=inherited | given, stdout=pipe, stderr=pipe)


async def _run_command(*arguments: str, **environment: object) -> tuple[int | None, str]:
    """Return the exit code and standard error."""
    process = await _start(*arguments, **environment)
    _, output = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


async def test_a_missing_client_certificate_is_named(tmp_path: Path) -> None:
    make_authority(tmp_path)
    make_certificate(tmp_path, "server")
    credentials = server_credentials(tmp_path / "server.key", tmp_path / "server.pem", tmp_path / "ca.pem")
    async with _serving(credentials=credentials) as address:
        code, output = await _run_command("runs", address=address, tls_ca_file=tmp_path / "ca.pem")
        _, without_tls = await _run_command("runs", address=address)
    assert "LUMENMILL_TLS_CA_FILE" in without_tls
    assert code == 3
    assert "LUMENMILL_TLS_CERT_FILE and LUMENMILL_TLS_KEY_FILE" in output and "lumenmill status" not in output


async def test_a_given_address_without_a_server_is_named() -> None:
    code, output = await _run_command("runs", address="127.0.0.1:9")
    assert code == 3
    assert "nothing answers at 127.0.0.1:9 (" in output
    assert "LUMENMILL_ADDRESS" in output and "lumenmill status" not in output


@pytest.mark.parametrize("address", ["nonsense", "localhost", ":", ":50051", "localhost:", "http://localhost:50051"])
async def test_an_address_that_is_not_host_and_port_is_refused(address: str) -> None:
    code, output = await _run_command("--address", address, "runs")
    assert code == 2 and output.startswith("error: --address: must be host:port"), output
    code, output = await _run_command("runs", address=address)
    assert code == 2 and output.startswith("error: LUMENMILL_ADDRESS: must be host:port"), output


@pytest.mark.parametrize(
    "address",
    ["", "localhost:50051", "10.0.0.7:443", "[::1]:50051", "dns:///mesh.example:443", "ipv4:10.0.0.7:1,10.0.0.8:1"],
)
def test_addresses_that_grpc_can_reach_are_accepted(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("LUMENMILL_ADDRESS", address)
    assert read_security(ClientSettings).address == address


def test_a_model_that_does_not_answer_is_not_confused_with_the_address() -> None:
    broken = UnavailableError("nothing answers at 10.0.0.7:50051 (connection refused)")
    output = with_advice(broken, "mesh.example:443", SecuritySettings(), is_local=False).message
    assert "nothing answers at 10.0.0.7:50051" in output and "`lumenmill models`" in output
    assert "LUMENMILL_ADDRESS" not in output


async def test_the_local_mesh_is_not_confused_with_the_given_address(tmp_path: Path) -> None:
    code, output = await _run_command("status", address="127.0.0.1:9", home=tmp_path)
    assert code == 3 and "this is not the mesh at 127.0.0.1:9" in output


async def test_a_missing_and_a_wrong_token_are_distinguished(tmp_path: Path) -> None:
    for name in ("right", "wrong"):
        (tmp_path / name).write_text(f"{name}-s3cret\n")
    async with _serving(SecuritySettings(token_file=tmp_path / "right")) as address:
        accepted, _ = await _run_command("runs", address=address, token_file=tmp_path / "right")
        missing, without = await _run_command("runs", address=address)
        wrong, with_wrong = await _run_command("runs", address=address, token_file=tmp_path / "wrong")
    assert (accepted, missing, wrong) == (0, 3, 3)
    assert "none was sent" in without and "none was sent" not in with_wrong
    assert all("LUMENMILL_TOKEN_FILE" in output and "s3cret" not in output for output in (without, with_wrong))


@pytest.mark.parametrize("name", ["TOKEN_FILE", "TLS_CA_FILE"])
@pytest.mark.parametrize("value", ["", "/nowhere/ca.crt", "/"])
def test_an_unreadable_file_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LUMENMILL_{name}", value)
    with pytest.raises(InvalidArgumentError) as rejected:
        read_security(ClientSettings)
    purpose = str(SecuritySettings.model_fields[name.lower()].description)
    assert rejected.value.field == f"LUMENMILL_{name}" and purpose in rejected.value.message


@pytest.mark.parametrize("content", ["", " \n\t", "\ufeff", "\0\0", "two\nlines"])
async def test_a_client_whose_token_file_holds_no_token_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    code, output = await _run_command("runs", address="127.0.0.1:9", token_file=tmp_path / "token")
    assert code == 2 and output.startswith("error: LUMENMILL_TOKEN_FILE: ") and "bearer token" in output
    assert not content.strip() or "two" not in output


async def test_a_client_whose_token_file_becomes_empty_says_so(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret")
    security = SecuritySettings(token_file=tmp_path / "token")
    async with _serving(security) as address, connect(address, security) as channel:
        runs = Runs(channel)
        assert [run async for run in runs.list()] == []
        (tmp_path / "token").write_text("")
        with pytest.raises(UnavailableError, match=r"LUMENMILL_TOKEN_FILE: .*token' is empty"):
            await anext(runs.list())
        with pytest.raises(UnavailableError, match=r"LUMENMILL_TOKEN_FILE: .*token' is empty"):
            await anext(runs.watch("r1"))


async def test_the_command_exits_with_2_on_an_unreadable_file() -> None:
    code, output = await _run_command("runs", address="127.0.0.1:9", token_file="")
    assert code == 2 and output.startswith("error: LUMENMILL_TOKEN_FILE: is set but empty")


async def test_watching_a_run_survives_an_outage_of_the_mesh() -> None:
    mesh = _Mesh()
    async with _serving(mesh=mesh) as address:
        watching = await _start("watch", "r1", address=address)
        while not mesh.num_watched:
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    async with _serving(mesh=mesh, port=int(address.rpartition(":")[2])):
        _, output = await asyncio.wait_for(watching.communicate(), 60)
    assert watching.returncode == 0, output
    assert output.decode().count("the mesh does not answer; the run continues") == 1


async def test_a_mesh_that_never_answers_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    first_answer = RetryPolicy({UnavailableError: math.inf}, outage_timeout_s=0.5)
    monkeypatch.setattr("lumenmill_client._runs._FIRST_ANSWER", first_answer)
    lost: list[UnavailableError] = []
    async with connect("127.0.0.1:9", SecuritySettings()) as channel:
        with pytest.raises(UnavailableError, match=r"nothing answers at 127\.0\.0\.1:9"):
            await anext(Runs(channel).watch("r1", on_lost=lost.append))
    assert not lost, "no outage is reported for a mesh that never answered"


async def test_each_update_of_the_fleet_is_printed_into_a_pipe() -> None:
    async with _serving() as address:
        for options in ([], ["--json"]):
            process = await _start("fleet", "--watch", *options, address=address)
            assert process.stdout
            num_updates = 0
            while num_updates < 2:
                num_updates += b"studio" in await asyncio.wait_for(process.stdout.readline(), 30)
            process.terminate()
            await process.communicate()


async def test_problems_without_a_position_are_printed_without_one(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("lumenmill: 1\n")
    async with _serving() as address:
        code, output = await _run_command("recipe", "check", str(tmp_path / "r.yaml"), address=address)
    assert code == 2
    assert output.endswith("error: r.yaml: parameters.sede: unknown parameter `sede`\n")
