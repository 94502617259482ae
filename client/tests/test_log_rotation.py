"""The logs of the mesh of one machine are bounded in size and number."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumenmill_client.mesh import _log_rotation
from lumenmill_client.mesh._home import Home
from lumenmill_client.mesh._services import MeshOptions
from lumenmill_client.mesh._supervisor import _Supervisor
from lumenmill_common.testing import eventually

_MAX_BYTES = 20_000
# Writes a numbered line for each line that it gets.
_WRITER = "import sys\nfor line in sys.stdin: print(line.strip().rjust(99), flush=True)"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path)
    home.make()
    return home


@pytest.fixture
def writer(home: Home) -> Iterator["subprocess.Popen[str]"]:
    with (
        home.log_file("studio").open("ab") as log,
        subprocess.Popen([sys.executable, "-c", _WRITER], stdin=subprocess.PIPE, stdout=log, text=True) as process,
    ):
        yield process


async def test_a_supervisor_rotates_the_logs_of_running_processes(
    home: Home, writer: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_log_rotation, "_MAX_BYTES", _MAX_BYTES)
    supervisor = _Supervisor(home, MeshOptions())
    monkeypatch.setattr("lumenmill_client.mesh._supervisor._LOGS_S", 0.01)
    rotating = asyncio.create_task(supervisor._rotate_logs())
    log = home.log_file("studio")
    assert writer.stdin is not None
    for number in range(6):
        for line in range(300):
            writer.stdin.write(f"{number}.{line}\n")
        writer.stdin.flush()
        await eventually(lambda: log.stat().st_size < _MAX_BYTES and (log.parent / "studio.log.1").exists())
        await eventually(lambda number=number: f"{number}.299\n" in _text(home))
    supervisor._stop.set()
    await rotating
    names = {path.name for path in log.parent.iterdir()}
    assert names == {"studio.log", "studio.log.1", "studio.log.2", "studio.log.3"}
    assert sum(path.stat().st_size for path in log.parent.iterdir()) < 4 * 2 * _MAX_BYTES
    writer.stdin.write("the last line\n")
    writer.stdin.flush()
    await eventually(lambda: "the last line" in log.read_text())
    assert "\0" not in log.read_text()


def _text(home: Home) -> str:
    return "".join(path.read_text() for path in home.log_file("studio").parent.iterdir())
