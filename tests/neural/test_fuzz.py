"""The neural services execute any request or refuse it with its field, and continue: the fuzzer of `tests/fuzz`, on
tiny checkpoints."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from fuzz.call_results import assert_allowed, make_call
from fuzz.contracts import RPCS
from fuzz.corpus import Corpus, make_corpus
from fuzz.message_generator import MessageGenerator
from fuzz.processes import Mesh, Process, mesh
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from .small_models import SMALL, SMALL_CLIP, SMALL_MAPS, SmallModel

pytestmark = pytest.mark.timeout(900)

_NUM_EXAMPLES = int(os.environ.get("LUMENMILL_FUZZ_EXAMPLES", "60"))
_SEED = int(os.environ.get("LUMENMILL_FUZZ_SEED", "0"))
_TIMEOUT_S = 5.0
_MODELS = {
    "ImagerService.GenerateImages": SmallModel("imager", "FLUX.1-dev", SMALL),
    "RelighterService.Relight": SmallModel("relighter", "instruct-pix2pix", SMALL),
    "RelighterService.Decompose": SmallModel("relighter", "Marigold", SMALL_MAPS),
    "VideoService.GenerateVideo": SmallModel("video", "Wan2.1-T2V-1.3B", SMALL_CLIP),
    "VideoService.DecomposeVideo": SmallModel("video", "Marigold", SMALL_MAPS),
}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The embedded mesh, which makes the artifacts that requests name."""
    with mesh(tmp_path_factory.mktemp("mesh")) as started:
        yield started


@pytest.fixture(scope="module")
def corpus(embedded: Mesh) -> Corpus:
    return make_corpus(embedded)


@pytest.fixture(params=_MODELS)
def served(request: pytest.FixtureRequest, embedded: Mesh, tmp_path: Path) -> Iterator[tuple[str, Process]]:
    """An RPC, and the process of a model that serves it."""
    small = _MODELS[request.param]
    settings = {f"LUMENMILL_{name.upper()}": value for name, value in small.settings_in(tmp_path).items()}
    shared = {"LUMENMILL_STORE_URL": (embedded.folder / "store").as_uri(), "OMP_NUM_THREADS": "1"}
    process = Process(small.service, tmp_path, settings | shared)
    process.start()
    try:
        process.connect()
        yield request.param, process
    finally:
        process.end()


def test_requests_are_executed_or_refused_with_their_field(served: tuple[str, Process], corpus: Corpus) -> None:
    name, process = served
    rpc = RPCS[name]

    @seed(_SEED)
    @settings(
        max_examples=_NUM_EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.integers(min_value=0, max_value=(1 << 64) - 1).map(Random))
    def check(rng: Random) -> None:
        requests = MessageGenerator(corpus, rng).requests(rpc)
        assert_allowed(rpc, requests, make_call(process, rpc, requests, _TIMEOUT_S), process)

    check()
    assert process.is_alive and process.is_serving()
