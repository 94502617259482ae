"""Models that an operator adds to a service with a file."""

from pathlib import Path

import pytest

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.catalogue import read_catalogue, with_own_models
from lumenmill_neural.families import family_type
from lumenmill_neural.host import ModelHost
from lumenmill_neural.settings import NeuralSettings

_ENTRY = """
my-flux:
  family: {family}
  title: My FLUX
  task: text to image
  checkpoint: /weights/mine
  licence: {{spdx_id: Apache-2.0, allows_commercial_use: true, url: "https://example.org"}}
  source: our own
  arguments: {{width: 512, height: 512, num_inference_steps: 4}}
  presets: {{balanced: {{description: Ours.}}}}
  tiers: [{{min_memory_gib: 0}}]
"""
_MISSPELT = _ENTRY.format(family="flux").replace("checkpoint", "chekpoint")


def test_own_models_are_added_to_those_of_the_service(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(_ENTRY.format(family="flux"))
    models = with_own_models(read_catalogue("lumenmill_imager"), path)
    assert models["my-flux"].arguments["width"] == 512 and "FLUX.1-dev" in models


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("my-flux: {family: flux}", "my-flux"),
        (
            _ENTRY.format(family="flux").replace("checkpoint", "chekpoint"),
            r"my-flux\.checkpoint: .*my-flux\.chekpoint: ",
        ),
        ("[", "own.yaml"),
    ],
)
def test_a_wrong_file_is_refused_with_the_location_of_the_mistake(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(FailedPreconditionError, match=message):
        with_own_models(read_catalogue("lumenmill_imager"), path)


def _host(path: Path) -> ModelHost:
    settings = NeuralSettings(model="my-flux", presets_file=path, device="cpu")
    return ModelHost(settings, None, {})  # type: ignore[arg-type]  # reads no weights


def test_an_own_model_may_be_of_a_family_without_a_shipped_entry(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(_ENTRY.format(family="new"))
    assert family_type(_host(path), {"flux": str, "new": int}) is int


def test_an_unknown_family_is_refused_with_file_model_and_known_families(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(_ENTRY.format(family="mystery"))
    with pytest.raises(FailedPreconditionError, match=r"own\.yaml .*my-flux\.family: mystery is none of flux, sdxl"):
        family_type(_host(path), {"sdxl": int, "flux": str})
