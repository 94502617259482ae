"""What a form of datasets is, and what it may do to write one."""

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
    """A sample that goes into a dataset, and where."""

    sample: run_pb2.Sample
    split: str
    """`train`, `validation` or `test`."""


class Destination(Protocol):
    """Where the files of one dataset go. Paths are relative to the dataset."""

    embed_media: bool
    folder: Path
    """For temporary files; gone after the export."""
    store: ArtifactStore

    def add_media(self, path: str, artifact: artifact_pb2.Artifact) -> None:
        """An artifact of the store is a file of the dataset too; nothing is copied. Twice is once."""

    def add_file(self, path: str, local: Path, media_type: str) -> None:
        """A file that was just written goes into the store, unless the same one is there."""

    def add_shard(self, path: str, content_key: str, media_type: str, write: Callable[[Path], None]) -> None:
        """A file that its content key tells whole: one written before is used again, else `write` makes it."""


class DatasetWriter(Protocol):
    """Writes samples as a dataset of one form."""

    def __call__(self, samples: Iterator[ExportedSample], to: Destination) -> None:
        """Write every sample. They come one by one and are not kept: memory does not grow with the dataset."""


@dataclass(frozen=True)
class ExportFormat:
    """One form of datasets."""

    export: DatasetWriter
    suits: Callable[[run_pb2.Sample], bool] = lambda _sample: True
    """Whether the form has a place for a sample."""
