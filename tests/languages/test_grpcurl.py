"""The `grpcurl` commands of docs/other-languages.md: health and reflection, without and with token and mutual TLS."""

import asyncio
import shutil
from pathlib import Path

import pytest

from lumenmill_common.settings import SecuritySettings

from .clients import run_block, run_tool
from .mesh import secured, serving_mesh
from .page import blocks_of

pytestmark = pytest.mark.skipif(shutil.which("grpcurl") is None, reason="grpcurl is not installed")
_PLAIN, _SECURED = blocks_of("Health and reflection", "sh")


async def test_the_commands_of_a_mesh_without_security_work(tmp_path: Path) -> None:
    async with serving_mesh(tmp_path, SecuritySettings()) as mesh:
        output = await asyncio.to_thread(run_block, tmp_path, _PLAIN, ADDRESS=mesh.address)
    assert '"status": "SERVING"' in output
    assert "lumenmill.orchestrator.v1.ArtifactService\nlumenmill.orchestrator.v1.RunService\n" in output
    assert "rpc ListModels ( .lumenmill.orchestrator.v1.ListModelsRequest )" in output
    assert f'"address": "{mesh.captioner_address}"' in output


async def test_the_commands_of_a_mesh_with_security_work_and_reflection_needs_the_token(tmp_path: Path) -> None:
    async with serving_mesh(tmp_path, secured(tmp_path)) as mesh:
        output = await asyncio.to_thread(run_block, tmp_path, _SECURED, ADDRESS=mesh.address)
        without_token = _SECURED.splitlines()[-1].replace('-H "authorization: Bearer $(cat token)"', "")
        refused = await asyncio.to_thread(run_tool, tmp_path, "sh", "-c", without_token, ADDRESS=mesh.address)
    assert '"status": "SERVING"' in output and "lumenmill.orchestrator.v1.RunService\n" in output
    assert refused.returncode != 0 and "the mesh requires a token, and none was sent" in refused.stderr
