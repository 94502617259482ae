"""The `lumenmill` command as a process, against a mesh of the test."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

from .conftest import LocalMesh


@dataclass(frozen=True)
class Finished:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


async def start_command(mesh: LocalMesh, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """Start a command in the folder of the mesh; `options` are those of a process."""
    _take_ctrl_c()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LUMENMILL_")}
    streams = dict.fromkeys(("stdout", "stderr"), asyncio.subprocess.PIPE)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lumenmill_client.command", "--address", mesh.address, *arguments,
        cwd=mesh.folder, env=inherited, **({"stdin": asyncio.subprocess.DEVNULL} | streams | options),
    )  # fmt: skip


def _take_ctrl_c() -> None:
    """Let children take Ctrl-C: a process in the background of a shell ignores it, and its children would."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


async def finished(process: asyncio.subprocess.Process) -> Finished:
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Finished(process.returncode, (out or b"").decode(), (err or b"").decode())


async def run_command(mesh: LocalMesh, *arguments: str) -> Finished:
    return await finished(await start_command(mesh, *arguments))
