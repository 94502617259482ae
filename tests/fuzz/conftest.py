"""One mesh of real processes for the whole room, and what its requests can name."""

from collections.abc import Iterator

import pytest

from .house import House
from .processes import Mesh, mesh
from .stock import Stock, stocked


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """All four services, each a process, as in production."""
    with mesh(tmp_path_factory.mktemp("mesh")) as started:
        yield started


@pytest.fixture(scope="session")
def stock(processes: Mesh) -> Stock:
    """Real artifacts, runs and samples."""
    return stocked(processes)


@pytest.fixture
def house(processes: Mesh, stock: Stock) -> Iterator[House]:
    """Watched calls to the mesh, which serves afterwards."""
    yield House(processes, stock)
    assert all(process.is_alive and process.is_serving() for process in processes.processes.values())
