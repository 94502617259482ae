"""One real mesh for the tests that go across services."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("LUMENMILL_TEST_DATA", ROOT.parent / "shared" / "data"))

Command = Callable[..., subprocess.CompletedProcess[str]]


def run_command(
    home: Path, *arguments: str, cwd: Path = ROOT, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lumenmill_client.command", "--home", str(home), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


@pytest.fixture(scope="session")
def photo() -> Path:
    """A real photograph: NASA's portrait of Eileen Collins, public domain."""
    data = pytest.importorskip("skimage.data")
    return Path(data.__file__).parent / "astronaut.png"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """State folder of a mesh that is up."""
    folder = tmp_path_factory.mktemp("mesh")
    maps = ["--environment-maps", str(DATA / "hdri")] if (DATA / "hdri").is_dir() else []
    started = run_command(folder, "up", "--json", *maps)
    assert started.returncode == 0, started.stderr
    assert json.loads(started.stdout)["ready"]
    yield folder
    stopped = run_command(folder, "down")
    assert stopped.returncode == 0, stopped.stderr


@pytest.fixture
def lumenmill(home: Path) -> Command:
    """Runs the command against the mesh."""
    return lambda *arguments, **options: run_command(home, *arguments, **options)
