"""The catalogues of all services, and the page that is generated from them."""

from pathlib import Path
from typing import Any

import pytest

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.settings import ServiceSettings
from lumenmill_neural.catalogue import ModelEntry, read_catalogue
from lumenmill_neural.catalogue_page import SERVICES, page
from lumenmill_neural.settings import NeuralSettings

from .conftest import ENTRY

_PAGE = Path(__file__).parents[3] / "docs" / "models.md"
_ALL = [
    (service, name, entry) for service, package in SERVICES.items() for name, entry in read_catalogue(package).items()
]


def test_the_page_is_current() -> None:
    assert _PAGE.read_text(encoding="utf-8") == page(), "run: python -m lumenmill_neural.catalogue_page"


@pytest.mark.parametrize(("service", "name", "entry"), _ALL, ids=[f"{service}-{name}" for service, name, _ in _ALL])
def test_every_entry_is_complete(service: str, name: str, entry: ModelEntry) -> None:
    presets = list(entry.presets)
    assert presets[0] == "balanced" and {"fast", "quality"} <= set(presets)
    assert entry.licence.url.startswith("https://") and entry.source
    checkpoints = [entry, *entry.parts.values(), *entry.adapters.values()]
    revisions = [value.revision for value in checkpoints]
    assert all(len(revision) in {0, 40} for revision in revisions)
    assert entry.checkpoint or entry.parts
    assert all("/" in value.checkpoint for value in checkpoints if value.checkpoint)
    # From large to small: the first that fits is the best, and the last fits every device.
    sizes = [tier.min_memory_gib for tier in entry.tiers]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] == 0
    for preset in entry.presets.values():
        assert preset.distilled_lora in {"", *entry.adapters}
        merged = entry.arguments | preset.arguments
        for side in ("width", "height"):
            assert merged.get(side, 0) % entry.size_multiple_px == 0 and merged.get(side, 0) <= entry.max_side_px


@pytest.mark.parametrize(
    "mistake",
    [
        {"licence": {"spdx_id": "", "allows_commercial_use": True, "url": "https://example.org"}},
        {"tiers": [{"min_memory_gib": 0, "max_batch_size": 0}]},
        {"presets": {"balanced": {"description": "x", "step_cache": {"kind": "magic"}}}},
        {"max_width_px": 5},
    ],
)
def test_mistakes_in_an_entry_are_refused_when_it_is_read(mistake: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        ModelEntry.model_validate(ENTRY | mistake)


def test_a_service_does_not_start_with_an_unknown_model(host_of: Any) -> None:
    with pytest.raises(FailedPreconditionError, match="LUMENMILL_MODEL: is none of tiny"):
        host_of(model="tinier")


def test_the_readme_lists_every_setting() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    own = set(NeuralSettings.model_fields) - set(ServiceSettings.model_fields)
    assert [name for name in sorted(own) if f"_{name.upper()}`" not in readme] == []
