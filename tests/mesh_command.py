"""Runs the `lumenmill` command in a process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("LUMENMILL_TEST_DATA", ROOT.parent / "shared" / "data"))

Command = Callable[..., subprocess.CompletedProcess[str]]


def run_command(
    home: Path, *arguments: str, cwd: Path = ROOT, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lumenmill_client.command", "--home", str(home), *arguments],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
