"""Runs the `lumenmill` command in a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("LUMENMILL_TEST_DATA", ROOT.parent / "shared" / "data"))

Command = Callable[..., subprocess.CompletedProcess[str]]


def run_command(
    home: Path, *arguments: str, cwd: Path = ROOT, timeout_s: float = 300, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`options` are those of a process."""
    return subprocess.run(
        _words(home, arguments), cwd=cwd, check=False, capture_output=True, text=True, timeout=timeout_s, **options
    )


def start_command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    _take_ctrl_c()
    return subprocess.Popen(
        _words(home, arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _take_ctrl_c() -> None:
    """Let children take Ctrl-C: a process in the background of a shell ignores it, and its children would."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _words(home: Path, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "lumenmill_client.command", "--home", str(home), *arguments]
