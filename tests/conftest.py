"""One local mesh for the tests across services."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mesh_command import DATA, Command, run_command


@pytest.fixture(scope="session")
def photo() -> Path:
    """A real photograph: NASA's portrait of Eileen Collins, public domain."""
    data = pytest.importorskip("skimage.data")
    return Path(data.__file__).parent / "astronaut.png"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """State folder of a running mesh."""
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
