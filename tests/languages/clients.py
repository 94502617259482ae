"""Builds the example clients as their users would, and runs them."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lumenmill_common.settings import SecuritySettings

from .page import blocks_of

__all__ = ["FOLDER", "Client", "RunningClient", "built_client", "export_contracts", "run_block", "run_tool"]

FOLDER = Path(__file__).parent
_FETCH = {"Go": ["go", "mod", "download"], "TypeScript": ["npm", "ci"]}
_TIMEOUT_S = 300
_TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


@dataclass
class RunningClient:
    """A client that runs, and what it has printed so far."""

    process: asyncio.subprocess.Process
    progress: list[str] = field(default_factory=list)
    """Lines on standard error."""

    async def until_line(self, start: str) -> None:
        """Read standard error until a line starts with a text."""
        assert self.process.stderr is not None
        async with asyncio.timeout(30):
            while line := (await self.process.stderr.readline()).decode().rstrip():
                self.progress.append(line)
                if line.startswith(start):
                    return
        raise AssertionError(f"no line {start!r} in {self.progress}")

    async def output(self) -> str:
        """Return standard output when the client has ended; the other lines are in `progress`."""
        async with asyncio.timeout(60):
            output, progress = await self.process.communicate()
        self.progress += progress.decode().splitlines()
        return output.decode().strip()


@dataclass(frozen=True)
class Client:
    """A built client."""

    command: Sequence[str]

    async def start(self, address: str, security: SecuritySettings, *arguments: str) -> RunningClient:
        options = {
            "address": address,
            "ca": security.tls_ca_file,
            "cert": security.tls_cert_file,
            "key": security.tls_key_file,
            "token-file": security.token_file,
        }
        given = [f"--{name}={value}" for name, value in options.items() if value is not None]
        process = await asyncio.create_subprocess_exec(
            *self.command, *given, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        return RunningClient(process)

    async def run(self, address: str, security: SecuritySettings, *arguments: str) -> str:
        """Return the output of a client that succeeds."""
        running = await self.start(address, security, *arguments)
        output = await running.output()
        assert running.process.returncode == 0, running.progress
        return output


def run_tool(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of development; those of the environment of these tests, such as buf, come first."""
    environment = os.environ | {"PATH": _TOOLS} | variables
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S
    )


def run_block(folder: Path, code: str, **variables: str) -> str:
    """Run a `sh` block of the page and return its output."""
    done = run_tool(folder, "sh", "-euc", code, **variables)
    assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
    return done.stdout


def export_contracts(folder: Path) -> None:
    """Copy the contracts into a folder as the page does."""
    (folder / "lumenmill").symlink_to(FOLDER.parents[1])
    (export,) = blocks_of("Get the contracts", "sh")
    run_block(folder, export)


def built_client(language: str, folder: Path) -> Client:
    """Build the client of a language in a folder; skip the test where its tools or libraries are not available."""
    shutil.copytree(FOLDER / language.lower(), folder, dirs_exist_ok=True)
    fetch = _FETCH[language]
    if shutil.which(fetch[0]) is None:
        pytest.skip(f"{fetch[0]} is not installed")
    fetched = run_tool(folder, *fetch)
    if fetched.returncode:
        pytest.skip(f"{' '.join(fetch)}: {fetched.stderr.strip().splitlines()[-1]}")
    export_contracts(folder)
    (build,) = blocks_of(language, "sh")
    run_block(folder, build)
    command = [str(folder / "client")] if language == "Go" else ["node", str(folder / "dist/main.js")]
    return Client(command)
