"""What `lumenmill` says when the mesh cannot be reached, does not let it in, or goes away for a while."""

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
from certificates import make_authority, make_certificate
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

_RUNNING = run_pb2.Run(id="r1", state=run_pb2.RUN_STATE_RUNNING)
_DONE = run_pb2.Run(id="r1", state=run_pb2.RUN_STATE_COMPLETED, num_samples_accepted=1)


class _Mesh(run_pb2_grpc.RunServiceServicer):
    """Answers at once; a run is done when it is watched for the second time."""

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
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUMENMILL_")}
    given = {f"LUMENMILL_{name.upper()}": str(value) for name, value in environment.items()}
    command = (sys.executable, "-m", "lumenmill_client.command", *arguments)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, env=kept | given, stdout=pipe, stderr=pipe)


async def _told(*arguments: str, **environment: object) -> tuple[int | None, str]:
    """Exit code and standard error."""
    process = await _start(*arguments, **environment)
    _, told = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, told.decode()


async def test_a_server_that_wants_a_client_certificate_is_told_as_such(tmp_path: Path) -> None:
    make_authority(tmp_path)
    make_certificate(tmp_path, "server")
    credentials = server_credentials(tmp_path / "server.key", tmp_path / "server.pem", tmp_path / "ca.pem")
    async with _serving(credentials=credentials) as address:
        code, told = await _told("runs", address=address, tls_ca_file=tmp_path / "ca.pem")
        _, without_tls = await _told("runs", address=address)
    assert "LUMENMILL_TLS_CA_FILE" in without_tls
    assert code == 3
    assert "LUMENMILL_TLS_CERT_FILE and LUMENMILL_TLS_KEY_FILE" in told and "lumenmill status" not in told


async def test_a_given_address_where_nothing_is_is_what_to_look_at() -> None:
    code, told = await _told("runs", address="127.0.0.1:9")
    assert code == 3
    assert "nothing answers at 127.0.0.1:9 (" in told
    assert "LUMENMILL_ADDRESS" in told and "lumenmill status" not in told


def test_a_model_that_does_not_answer_is_not_taken_for_the_address() -> None:
    broken = UnavailableError("nothing answers at 10.0.0.7:50051 (connection refused)")
    told = with_advice(broken, "mesh.example:443", SecuritySettings(), is_local=False).message
    assert "nothing answers at 10.0.0.7:50051" in told and "`lumenmill models`" in told
    assert "LUMENMILL_ADDRESS" not in told


async def test_the_state_of_this_machine_is_not_taken_for_that_of_the_address(tmp_path: Path) -> None:
    code, told = await _told("status", address="127.0.0.1:9", home=tmp_path)
    assert code == 1 and "the mesh at 127.0.0.1:9 is another one" in told


async def test_a_missing_token_and_a_wrong_one_are_told_apart(tmp_path: Path) -> None:
    for name in ("right", "wrong"):
        (tmp_path / name).write_text(f"{name}-s3cret\n")
    async with _serving(SecuritySettings(token_file=tmp_path / "right")) as address:
        let_in, _ = await _told("runs", address=address, token_file=tmp_path / "right")
        missing, without = await _told("runs", address=address)
        wrong, with_wrong = await _told("runs", address=address, token_file=tmp_path / "wrong")
    assert (let_in, missing, wrong) == (0, 3, 3)
    assert "none was sent" in without and "none was sent" not in with_wrong
    assert all("LUMENMILL_TOKEN_FILE" in told and "s3cret" not in told for told in (without, with_wrong))


@pytest.mark.parametrize("name", ["TOKEN_FILE", "TLS_CA_FILE"])
@pytest.mark.parametrize("value", ["", "/nowhere/ca.crt", "/"])
def test_a_file_that_cannot_be_read_is_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"LUMENMILL_{name}", value)
    with pytest.raises(InvalidArgumentError) as refused:
        read_security(ClientSettings)
    purpose = str(SecuritySettings.model_fields[name.lower()].description)
    assert refused.value.field == f"LUMENMILL_{name}" and purpose in refused.value.message


async def test_the_command_ends_with_2_on_such_a_file() -> None:
    code, told = await _told("runs", address="127.0.0.1:9", token_file="")
    assert code == 2 and told.startswith("error: LUMENMILL_TOKEN_FILE: is set but empty")


async def test_a_followed_run_survives_a_mesh_that_goes_away_and_comes_back() -> None:
    mesh = _Mesh()
    async with _serving(mesh=mesh) as address:
        watching = await _start("watch", "r1", address=address)
        while not mesh.num_watched:
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    async with _serving(mesh=mesh, port=int(address.rpartition(":")[2])):
        _, told = await asyncio.wait_for(watching.communicate(), 60)
    assert watching.returncode == 0, told
    assert told.decode().count("the mesh does not answer; the run does not stop with this") == 1


async def test_a_mesh_that_never_answers_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    first_answer = RetryPolicy({UnavailableError: math.inf}, outage_timeout_s=0.5)
    monkeypatch.setattr("lumenmill_client._runs._FIRST_ANSWER", first_answer)
    lost: list[UnavailableError] = []
    async with connect("127.0.0.1:9", SecuritySettings()) as channel:
        with pytest.raises(UnavailableError, match=r"nothing answers at 127\.0\.0\.1:9"):
            await anext(Runs(channel).watch("r1", on_lost=lost.append))
    assert not lost, "it was never there, and nobody is told that it is waited for as long as one that was"


async def test_each_look_at_the_fleet_is_printed_into_a_pipe() -> None:
    async with _serving() as address:
        for form in ([], ["--json"]):
            process = await _start("fleet", "--watch", *form, address=address)
            assert process.stdout
            num_looks = 0
            while num_looks < 2:
                num_looks += b"studio" in await asyncio.wait_for(process.stdout.readline(), 30)
            process.terminate()
            await process.communicate()


async def test_what_stands_in_no_line_of_a_recipe_is_told_without_one(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("lumenmill: 1\n")
    async with _serving() as address:
        code, told = await _told("recipe", "check", str(tmp_path / "r.yaml"), address=address)
    assert code == 2
    assert told.endswith("error: r.yaml: parameters.sede: unknown parameter `sede`\n")
