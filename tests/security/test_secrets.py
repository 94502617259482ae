"""Logs contain no secrets."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.testing.s3_server import s3_server
from tests.faults.process_mesh import ProcessMesh, process_mesh
from tests.faults.recipe import LIGHTS

_TOKEN = "6f1d0c51-token-of-this-mesh"  # noqa: S105 - of this test alone


@contextlib.contextmanager
def _store(folder: Path, kind: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yield settings of a store and its secrets."""
    if kind == "folder":
        yield {}, []
        return
    with s3_server(folder) as server:
        server.start()
        yield server.environment, [(folder / name).read_text() for name in ("access", "secret")]


async def _run_with_failures(mesh: ProcessMesh, folder: Path) -> run_pb2.Run:
    await mesh.submit("mine", LIGHTS, num_sets=4)
    with pytest.raises(grpc.aio.AioRpcError):
        await mesh.submit("bad", LIGHTS.replace("image_prompt", "imageprompt"), num_sets=4)
    (folder / "wrong").write_text("wrong")
    mesh.security = SecuritySettings(token_file=folder / "wrong")
    with pytest.raises(grpc.aio.AioRpcError) as rejected:
        await mesh.run("mine")
    mesh.security = SecuritySettings(token_file=folder / "token")
    assert rejected.value.code() is grpc.StatusCode.UNAUTHENTICATED
    await mesh.processes["imager"].stop()
    await mesh.start("imager")
    return await mesh.ended("mine")


@pytest.mark.parametrize("kind", ["folder", "s3"])
async def test_logs_of_a_run_contain_no_secrets(tmp_path: Path, kind: str) -> None:
    token = tmp_path / "token"
    token.write_text(_TOKEN)
    with _store(tmp_path, kind) as (environment, secrets):
        environment |= {"LUMENMILL_TOKEN_FILE": str(token), "LUMENMILL_LOG_LEVEL": "DEBUG"}
        security = SecuritySettings(token_file=token)
        with process_mesh(tmp_path, step_s=0.05, failure_rate=0.1, environment=environment, security=security) as mesh:
            await mesh.start()
            run = await _run_with_failures(mesh, tmp_path)
            logs = {name: process.log_file.read_text() for name, process in mesh.processes.items()}
    assert run.state == run_pb2.RUN_STATE_COMPLETED
    assert all("serving" in log for log in logs.values()) and "UNAUTHENTICATED" not in logs["orchestrator"]
    for name, log in logs.items():
        for secret in (_TOKEN, *secrets):
            assert secret not in log, f"a secret is in the log of {name}"
