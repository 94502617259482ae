"""What an exporter is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore

__all__ = ["DatasetFile", "Exporter"]


@dataclass(frozen=True)
class DatasetFile:
    """One written file of a dataset."""

    path: str
    """Path within the dataset."""
    local: Path
    media_type: str


class Exporter(Protocol):
    """Writes samples as a dataset of one form."""

    def __call__(
        self,
        samples: Iterator[run_pb2.Sample],
        folder: Path,
        store: ArtifactStore,
        *,
        embed_media: bool,
        on_sample: Callable[[int], None],
    ) -> list[DatasetFile]:
        """Write every sample into files under `folder`, calling `on_sample` with the number written so far.

        Samples come one by one and are not kept, so that memory does not grow with the dataset. `on_sample` raises when
        the caller has gone away.
        """
