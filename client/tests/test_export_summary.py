"""What `lumenmill export` says of samples that stay out."""

from pathlib import Path

import pytest
from lumenmill.orchestrator.v1.run_pb2 import ExportResult
from lumenmill_client._dataset_folder import SavedDataset
from lumenmill_client.command import _export as command


@pytest.mark.parametrize("split_by", ["scene", "scene-and-environment-map"])
def test_maps_are_blamed_only_where_they_may_not_be_shared(split_by: str) -> None:
    saved = SavedDataset(Path("d"), ExportResult(num_samples=9, num_excluded_by_split=3), 1, 0, 0)
    lines = list(command._summary(saved, {"train": 9}, [], command._SplitBy(split_by)))
    (withheld,) = (line for line in lines if line.startswith("3 withheld"))
    assert ("map" in withheld) == (split_by != "scene") and "group" in withheld
