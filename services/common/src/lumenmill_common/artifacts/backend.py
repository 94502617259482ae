"""What a store needs of a folder or a bucket: reading, writing and listing of keys."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from typing import BinaryIO

from lumenmill.common.v1.artifact_pb2 import Artifact

__all__ = ["Source", "StoreBackend", "StoredObject"]

Source = BytesIO | BufferedReader
"""What is stored: bytes in memory, or an open file."""


@dataclass(frozen=True)
class StoredObject:
    """An artifact in a store."""

    artifact: Artifact
    modified_time_s: float
    """Unix time in seconds, by the store's clock, at which it was last written, written again, or touched."""


class StoreBackend(ABC):
    """The operations that differ between a folder and a bucket. All keys are valid; errors are LumenmillErrors."""

    @abstractmethod
    def _open(self, key: str) -> BinaryIO:
        """Open an object for reading; NotFoundError when it does not exist."""

    @abstractmethod
    def _open_range(self, key: str, offset_bytes: int, length_bytes: int) -> BinaryIO:
        """Open `length_bytes` of an object from `offset_bytes` on."""

    @abstractmethod
    def _write(self, key: str, source: Source, size_bytes: int) -> None:
        """Store all of a source under a key, atomically; refresh the time of an equal object that exists."""

    @abstractmethod
    def _replace(self, key: str, data: bytes) -> None:
        """Store bytes under a key, atomically, in place of what was there."""

    @abstractmethod
    def _refresh(self, key: str) -> bool:
        """Set the time of an object to now; False when it does not exist."""

    @abstractmethod
    def _head(self, key: str) -> StoredObject | None:
        """Return size and time of an object, or None."""

    @abstractmethod
    def _keys(self, prefix: str, after_key: str) -> Iterator[str]:
        """Yield the keys of artifacts with a prefix, greater than `after_key`, in order."""

    @abstractmethod
    def _written(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield every key below a folder, and the Unix time in seconds at which it was written."""

    @abstractmethod
    def _delete(self, key: str) -> None:
        """Remove an object, if it exists."""

    @abstractmethod
    def clock_s(self) -> float:
        """Return the Unix time in seconds of the store's own clock, which dates its objects and may differ from ours.

        Writes nothing, so that a full store answers too.

        Raises:
            UnavailableError, PermissionDeniedError: the store does not answer.
        """

    @abstractmethod
    def check(self) -> None:
        """Check that the store can be written and read.

        Raises:
            UnavailableError, PermissionDeniedError: it cannot.
        """
