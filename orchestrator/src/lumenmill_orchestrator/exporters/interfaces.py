"""Interfaces of export formats: what they receive, and where they write."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore

__all__ = ["DatasetWriter", "Destination", "ExportFormat", "ExportedSample"]


@dataclass(frozen=True)
class ExportedSample:
    """A sample of a dataset with its split."""

    sample: run_pb2.Sample
    split: str
    """`train`, `validation` or `test`."""


class Destination(Protocol):
    """Receives the files of one dataset. Paths are relative to the dataset."""

    embed_media: bool
    for_spreadsheets: bool
    """Whether CSV files are read by spreadsheets rather than by training code."""
    folder: Path
    """For temporary files; deleted after the export."""
    store: ArtifactStore

    def add_media(self, path: str, artifact: artifact_pb2.Artifact) -> None:
        """Make an artifact of the store a file of the dataset, without a copy. Repeated calls change nothing."""

    def add_file(self, path: str, local: Path, media_type: str) -> None:
        """Store a local file unless the store has the same one."""

    def add_shard(self, path: str, content_key: str, media_type: str, write: Callable[[Path], None]) -> None:
        """Reuse the file that was written before for this content key, else let `write` make it."""


class DatasetWriter(Protocol):
    """Writes samples as a dataset of one export format."""

    def __call__(self, samples: Iterator[ExportedSample], to: Destination) -> None:
        """Write every sample. They are read one by one and not held: memory does not grow with the dataset."""


@dataclass(frozen=True)
class ExportFormat:
    """An export format."""

    write: DatasetWriter
    accepts: Callable[[run_pb2.Sample], bool] = lambda _sample: True
    """Return whether the format can hold a sample."""
    has_csv_files: bool = False
    """Whether its datasets have files that spreadsheets open."""
