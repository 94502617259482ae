"""The command in the process of the tests, with a home without a mesh."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lumenmill_client.command import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs the command and returns its exit code, standard output and standard error."""
    monkeypatch.delenv("LUMENMILL_ADDRESS", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lumenmill", "--home", str(tmp_path / "home"), *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as exited:
            main()
        written = capfd.readouterr()
        return int(exited.value.code or 0), written.out, written.err

    return run
