"""One mesh of real processes for all fuzz tests, and the corpus of things that requests can name."""

from collections.abc import Iterator

import pytest

from .checked_calls import CheckedCalls
from .corpus import Corpus, make_corpus
from .processes import Mesh, mesh


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """All four services, each in a process."""
    with mesh(tmp_path_factory.mktemp("mesh")) as started:
        yield started


@pytest.fixture(scope="session")
def corpus(processes: Mesh) -> Corpus:
    """Artifacts, runs and samples."""
    return make_corpus(processes)


@pytest.fixture
def calls(processes: Mesh, corpus: Corpus) -> Iterator[CheckedCalls]:
    """Checked calls to the mesh, which must still be serving afterwards."""
    yield CheckedCalls(processes, corpus)
    assert all(process.is_alive and process.is_serving() for process in processes.processes.values())
