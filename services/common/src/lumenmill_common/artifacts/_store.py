"""What every store does, whatever lies beneath it. A backend adds only reading, writing and listing of keys."""

import hashlib
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lumenmill.common.v1.artifact_pb2 import Artifact, EnvironmentMapFacts, ImageFacts, MeshFacts, VideoFacts

from lumenmill_common.artifacts._layout import (
    NOTES,
    OBJECTS,
    OWNERS,
    digest_of_key,
    extension_of,
    is_key,
    key_of,
    media_type_of,
    note_key_of,
    owner_key_of,
)
from lumenmill_common.artifacts._observed import Operation, observed
from lumenmill_common.artifacts._os_errors import os_errors_mapped
from lumenmill_common.errors import DataLossError, InvalidArgumentError, NotFoundError, OutOfRangeError
from lumenmill_common.telemetry import STORE_BYTES

__all__ = ["CHUNK_BYTES", "ArtifactStore", "StoredObject"]

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class StoredObject:
    """An artifact as it lies in a store."""

    artifact: Artifact
    modified_time_s: float
    """Unix time at which it was last written, asked to be written or touched, in seconds by the store's clock."""


class ArtifactStore(ABC):
    """An immutable, content-addressed store. Synchronous and thread-safe: call it from worker threads.

    Everything that is read whole is verified against its digest. Nothing outside the store can be named.
    """

    def __init__(self, base_uri: str) -> None:
        self.base_uri = base_uri.rstrip("/") + "/"

    # What a backend adds. Keys are always valid.

    @abstractmethod
    def _open(self, key: str) -> BinaryIO:
        """Opens an object for reading; NotFoundError when it is not there."""

    @abstractmethod
    def _open_range(self, key: str, offset_bytes: int, length_bytes: int) -> BinaryIO:
        """Opens `length_bytes` of an object from `offset_bytes` on."""

    @abstractmethod
    def _write(self, key: str, path: Path) -> None:
        """Stores a local file under a key, whole or not at all; refreshes its age when it is there already."""

    @abstractmethod
    def _refresh(self, key: str) -> bool:
        """Makes an object as young as if it had just been written; False when it is not there."""

    @abstractmethod
    def _head(self, key: str) -> StoredObject | None:
        """Size and age of an object, or None."""

    @abstractmethod
    def _keys(self, prefix: str, after_key: str) -> Iterator[str]:
        """Keys with a prefix, greater than `after_key`, in order."""

    @abstractmethod
    def _delete(self, key: str) -> None:
        """Removes an object; does nothing when it is not there."""

    @abstractmethod
    def _replace(self, key: str, data: bytes) -> None:
        """Stores bytes under a key, whole or not at all, whatever was there."""

    @abstractmethod
    def _written(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Keys of everything below a folder, and the Unix time in seconds at which each was written."""

    @abstractmethod
    def clock_s(self) -> float:
        """The time of the store's own clock, by which it dates what it is given: Unix seconds. Ours may differ.

        Nothing is written, so that a full store tells it too. Raises UnavailableError or PermissionDeniedError.
        """

    @abstractmethod
    def check(self) -> None:
        """Proves that the store can be written and read; raises UnavailableError or PermissionDeniedError."""

    # Writing.

    def put_bytes(
        self,
        data: bytes,
        media_type: str,
        *,
        name: str = "",
        image: ImageFacts | None = None,
        video: VideoFacts | None = None,
        mesh: MeshFacts | None = None,
        environment_map: EnvironmentMapFacts | None = None,
    ) -> Artifact:
        """Stores bytes once and returns their artifact. The same bytes again cost nothing.

        Raises:
            InvalidArgumentError: `media_type` is none that the store keeps.
            ResourceExhaustedError: the store is full.
            UnavailableError: the store does not answer.
        """
        with tempfile.NamedTemporaryFile(prefix="lumenmill-") as file:
            with os_errors_mapped("temporary files"):
                file.write(data)
                file.flush()
            return self.put_file(
                Path(file.name),
                media_type,
                name=name,
                image=image,
                video=video,
                mesh=mesh,
                environment_map=environment_map,
            )

    def put_file(
        self,
        path: Path,
        media_type: str,
        *,
        name: str = "",
        image: ImageFacts | None = None,
        video: VideoFacts | None = None,
        mesh: MeshFacts | None = None,
        environment_map: EnvironmentMapFacts | None = None,
    ) -> Artifact:
        """Stores a file once and returns its artifact; errors as `put_bytes`. The file itself is left alone."""
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = path.stat().st_size
        with observed("write"):
            self._write(key_of(sha256, media_type), path)
        STORE_BYTES.labels("written").inc(size_bytes)
        return Artifact(
            uri=self.uri_for(sha256, media_type),
            sha256=sha256,
            media_type=media_type,
            size_bytes=size_bytes,
            name=name,
            image=image,
            video=video,
            mesh=mesh,
            environment_map=environment_map,
        )

    @observed("touch")
    def touch(self, sha256: str) -> bool:
        """Makes an artifact as young as if it had just been written, under every media type that it was stored with.

        Whoever hands out an artifact that it found rather than wrote calls this first: until something refers to it,
        its youth is all that keeps it from garbage collection. False when it is not there; errors as `put_bytes`.
        """
        refreshed = [self._refresh(key) for key in self._keys(f"{OBJECTS}/{sha256[:2]}/{sha256}", "")]
        return bool(refreshed) and all(refreshed)

    @observed("delete")
    def delete(self, sha256: str) -> None:
        """Removes an artifact, under every media type it was stored with."""
        for key in list(self._keys(f"{OBJECTS}/{sha256[:2]}/{sha256}", "")):
            self._delete(key)

    # Reading.

    def read_bytes(self, artifact: Artifact, *, field: str = "artifact", max_bytes: int | None = None) -> bytes:
        """The verified bytes of an artifact, inline or stored.

        Raises:
            InvalidArgumentError: `field` names nothing in this store, its digest contradicts its bytes, or it is larger
                than `max_bytes`.
            NotFoundError: it is not in the store.
            DataLossError: the stored bytes do not match their digest.
        """
        with self._open_verified(artifact, field, max_bytes) as chunks:
            return b"".join(chunks)

    def iter_chunks(self, artifact: Artifact, *, field: str = "artifact") -> Iterator[bytes]:
        """The bytes of an artifact in pieces of at most 1 MiB; errors as `read_bytes`, DataLossError after the last."""
        with self._open_verified(artifact, field, None) as chunks:
            yield from chunks

    def read_range(self, sha256: str, offset_bytes: int, length_bytes: int) -> bytes:
        """A range of a stored artifact, not verified; `length_bytes` 0 means to the end.

        Raises:
            NotFoundError: it is not in the store.
            OutOfRangeError: the range starts beyond its end.
        """
        stored = self.stat(sha256)
        if stored is None:
            raise NotFoundError(f"no artifact {sha256} in the store")
        if offset_bytes > stored.size_bytes:
            raise OutOfRangeError("offset_bytes", f"the artifact has {stored.size_bytes} bytes")
        length = min(length_bytes or stored.size_bytes, stored.size_bytes - offset_bytes)
        with observed("read"), self._open_range(key_of(sha256, stored.media_type), offset_bytes, length) as file:
            data = file.read(length)
        STORE_BYTES.labels("read").inc(len(data))
        return data

    @contextmanager
    def local_file(self, artifact: Artifact, *, field: str = "artifact") -> Iterator[Path]:
        """A verified local copy of an artifact for libraries that want a path, with the extension of its media type.

        The copy is gone after the block. Errors as `read_bytes`.
        """
        media_type = artifact.media_type or media_type_of(artifact.uri)
        with tempfile.TemporaryDirectory(prefix="lumenmill-") as folder:
            path = Path(folder) / f"artifact{extension_of(media_type, f'{field}.media_type')}"
            with path.open("wb") as file:
                for chunk in self.iter_chunks(artifact, field=field):
                    with os_errors_mapped("temporary files"):
                        file.write(chunk)
            yield path

    @contextmanager
    def _open_verified(self, artifact: Artifact, field: str, max_bytes: int | None) -> Iterator[Iterator[bytes]]:
        if artifact.HasField("inline_data"):
            yield iter([self._inline(artifact, field, max_bytes)])
            return
        key = self.key_from(artifact, field)
        reading = Operation("read")
        try:
            with reading.step():
                file = self._open(key)
            with file:
                yield self._verified_chunks(file, key, field, max_bytes, reading)
        finally:
            reading.end()

    @staticmethod
    def _inline(artifact: Artifact, field: str, max_bytes: int | None) -> bytes:
        data = artifact.inline_data
        if artifact.sha256 and hashlib.sha256(data).hexdigest() != artifact.sha256:
            raise InvalidArgumentError(f"{field}.sha256", "does not match inline_data")
        if max_bytes is not None and len(data) > max_bytes:
            raise InvalidArgumentError(field, f"has {len(data)} bytes, more than the {max_bytes} allowed here")
        return data

    @staticmethod
    def _verified_chunks(
        file: BinaryIO, key: str, field: str, max_bytes: int | None, reading: Operation
    ) -> Iterator[bytes]:
        digest, num_bytes = hashlib.sha256(), 0
        while True:
            with reading.step():
                chunk = file.read(CHUNK_BYTES)
            if not chunk:
                break
            STORE_BYTES.labels("read").inc(len(chunk))
            digest.update(chunk)
            num_bytes += len(chunk)
            if max_bytes is not None and num_bytes > max_bytes:
                raise InvalidArgumentError(field, f"has more than the {max_bytes} bytes allowed here")
            yield chunk
        if digest.hexdigest() != digest_of_key(key):
            with reading.step():
                raise DataLossError(f"the bytes of {key} do not match their digest")

    # Notes: what processes tell those that come after them. Not artifacts: they have names, and may be lost.

    @observed("note")
    def put_note(self, name: str, data: bytes) -> None:
        """Leaves a note of any name, in place of an earlier one; errors as `put_bytes`."""
        self._replace(note_key_of(name), data)

    @observed("note")
    def get_note(self, name: str) -> bytes | None:
        """The note with a name, or None. Whoever leaves notes must be able to tell whether one is damaged."""
        try:
            with self._open(note_key_of(name)) as file:
                return file.read()
        except NotFoundError:
            return None

    def delete_notes_before(self, time_s: float) -> int:
        """Removes notes that were written before a Unix time in seconds; how many there were."""
        old = [key for key, written_s in self._written(NOTES) if written_s < time_s]
        for key in old:
            self._delete(key)
        return len(old)

    # Owners: databases that refer to artifacts of this store.

    def register_owner(self, owner_id: str) -> None:
        """Says that a database refers to artifacts here; 32 hexadecimal digits name it. Errors as `put_bytes`."""
        key = owner_key_of(owner_id)
        if not self._refresh(key):
            self._replace(key, b"")

    def forget_owner(self, owner_id: str) -> None:
        """Takes that back."""
        self._delete(owner_key_of(owner_id))

    def owners(self) -> dict[str, float]:
        """Who has registered, and when for the last time: Unix seconds."""
        return {key.rsplit("/", 1)[1]: written_s for key, written_s in self._written(OWNERS)}

    # Looking.

    def uri_for(self, sha256: str, media_type: str) -> str:
        """URI of an artifact in this store, whether it is there or not."""
        return self.base_uri + key_of(sha256, media_type)

    def key_from(self, artifact: Artifact, field: str = "artifact") -> str:
        """Key of an artifact.

        Raises:
            InvalidArgumentError: its URI is empty, lies outside this store or contradicts its digest.
        """
        if not artifact.uri:
            raise InvalidArgumentError(f"{field}.uri", "set the URI of an artifact in the store, or inline_data")
        key = artifact.uri.removeprefix(self.base_uri)
        if key == artifact.uri or not is_key(key):
            raise InvalidArgumentError(
                f"{field}.uri", f"must name an artifact in this service's store, {self.base_uri}"
            )
        if artifact.sha256 and digest_of_key(key) != artifact.sha256:
            raise InvalidArgumentError(f"{field}.sha256", "is not the digest that the URI names")
        return key

    def sha256_of(self, artifact: Artifact, field: str = "artifact") -> str:
        """The digest of an artifact by its URI; errors as `key_from`. Whether it is there is another question."""
        return digest_of_key(self.key_from(artifact, field))

    @observed("stat")
    def stat(self, sha256: str) -> Artifact | None:
        """The artifact with this digest: uri, sha256, media type and size, or None."""
        for key in self._keys(f"{OBJECTS}/{sha256[:2]}/{sha256}", ""):
            stored = self._head(key)
            return stored.artifact if stored else None
        return None

    @observed("list")
    def list(self, after_sha256: str = "", limit: int = 100) -> list[StoredObject]:
        """Up to `limit` artifacts with a digest greater than `after_sha256`, in order of digest."""
        after_key = f"{OBJECTS}/{after_sha256[:2]}/{after_sha256}~" if after_sha256 else ""
        found: list[StoredObject] = []
        for key in self._keys(f"{OBJECTS}/", after_key):
            stored = self._head(key)
            if stored:
                found.append(stored)
            if len(found) >= limit:
                break
        return found

    def verify(self, artifact: Artifact) -> bool:
        """Whether the stored bytes of an artifact match its digest; errors as `read_bytes`, DataLossError excepted."""
        try:
            for _ in self.iter_chunks(artifact):
                pass
        except DataLossError:
            return False
        return True

    def _describe(self, key: str, size_bytes: int, modified_time_s: float) -> StoredObject:
        artifact = Artifact(
            uri=self.base_uri + key, sha256=digest_of_key(key), media_type=media_type_of(key), size_bytes=size_bytes
        )
        return StoredObject(artifact, modified_time_s)
