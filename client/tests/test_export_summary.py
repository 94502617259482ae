"""The summary of `lumenmill export` about excluded samples."""

from pathlib import Path

import pytest

from lumenmill.orchestrator.v1.run_pb2 import ExportResult
from lumenmill_client._dataset_folder import SavedDataset
from lumenmill_client.command import _export as command


@pytest.mark.parametrize("split_by", ["scene", "scene-and-environment-map"])
def test_environment_maps_are_named_only_when_the_split_rule_has_them(split_by: str) -> None:
    saved = SavedDataset(Path("d"), ExportResult(num_samples=9, num_excluded_by_split=3), 1, 0, 0)
    lines = list(command._summary(saved, {"train": 9}, [], command._SplitBy(split_by)))
    (excluded,) = (line for line in lines if line.startswith("3 excluded"))
    assert ("map" in excluded) == (split_by != "scene") and "group" in excluded
