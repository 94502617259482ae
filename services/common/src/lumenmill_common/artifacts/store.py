"""What every store does, on top of a backend."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypedDict, Unpack

from lumenmill.common.v1.artifact_pb2 import Artifact, EnvironmentMapFacts, ImageFacts, MeshFacts, VideoFacts
from lumenmill_common.artifacts.backend import Source, StoreBackend, StoredObject
from lumenmill_common.artifacts.file_kinds import HEAD_BYTES, is_weights, media_type_of_content
from lumenmill_common.artifacts.layout import (
    OBJECTS,
    OWNERS,
    RESULTS,
    digest_of_key,
    extension_of,
    is_key,
    key_of,
    media_type_of,
    owner_key_of,
    result_key_of,
)
from lumenmill_common.artifacts.operations import Operation, observed
from lumenmill_common.artifacts.os_errors import os_errors_mapped
from lumenmill_common.errors import DataLossError, InvalidArgumentError, NotFoundError, OutOfRangeError
from lumenmill_common.telemetry import STORE_BYTES

__all__ = ["CHUNK_BYTES", "ArtifactStore"]

CHUNK_BYTES = 1 << 20


class Description(TypedDict, total=False):
    """What an artifact says of its bytes, besides their digest, size and media type."""

    name: str
    image: ImageFacts | None
    video: VideoFacts | None
    mesh: MeshFacts | None
    environment_map: EnvironmentMapFacts | None


class ArtifactStore(StoreBackend):
    """An immutable, content-addressed store. Synchronous and thread-safe: call it from worker threads.

    Everything that is read whole is verified against its digest. Nothing outside the store can be named.
    """

    def __init__(self, base_uri: str) -> None:
        self.base_uri = base_uri.rstrip("/") + "/"

    # Writing.

    def put_bytes(
        self, data: bytes, media_type: str, *, sha256: str = "", **description: Unpack[Description]
    ) -> Artifact:
        """Store bytes once and return their artifact. The same bytes again take no space.

        `sha256` is the digest of the bytes in hexadecimal, from callers that have computed it already.

        Raises:
            InvalidArgumentError: the store keeps no files of `media_type`.
            ResourceExhaustedError: the store is full.
            UnavailableError: the store does not answer.
        """
        return self._put(BytesIO(data), len(data), sha256 or hashlib.sha256(data).hexdigest(), media_type, description)

    def put_file(
        self, path: Path, media_type: str, *, sha256: str = "", **description: Unpack[Description]
    ) -> Artifact:
        """Store a file once and return its artifact; digest and errors as `put_bytes`. The file itself stays."""
        with path.open("rb") as file:
            if not sha256:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
            return self._put(file, path.stat().st_size, sha256, media_type, description)

    def put_inline(self, artifact: Artifact, *, field: str) -> Artifact:
        """Store the inline bytes of an artifact once and return it with its URI, its name and its licence.

        Raises:
            InvalidArgumentError: the bytes contradict the digest, the media type is unknown, or they are weights of a
                model; names the field.
        """
        head, named = artifact.inline_data[:HEAD_BYTES], f"{field}.media_type"
        media_type = media_type_of_content(head, artifact.media_type, named, artifact.name)
        extension_of(media_type, named)
        if is_weights(head, media_type):
            raise InvalidArgumentError(field, "has weights of a model, which are not taken inline; upload them first")
        data, sha256 = artifact.inline_data, hashlib.sha256(artifact.inline_data).hexdigest()
        if artifact.sha256 and artifact.sha256 != sha256:
            raise InvalidArgumentError(f"{field}.sha256", "does not match inline_data")
        stored = self.put_bytes(data, media_type, sha256=sha256, name=artifact.name)
        if artifact.HasField("licence"):
            stored.licence.CopyFrom(artifact.licence)
        return stored

    def _put(self, source: Source, size_bytes: int, sha256: str, media_type: str, description: Description) -> Artifact:
        with observed("write"):
            self._write(key_of(sha256, media_type), source, size_bytes)
        STORE_BYTES.labels("written").inc(size_bytes)
        uri = self.uri_for(sha256, media_type)
        return Artifact(uri=uri, sha256=sha256, media_type=media_type, size_bytes=size_bytes, **description)

    @observed("touch")
    def touch(self, sha256: str) -> bool:
        """Set the time of an artifact to now, under every media type that it was stored with; False when it is missing.

        Call it before passing on an artifact that was found rather than written: until something refers to it, only
        its recent time keeps it from garbage collection. Errors as `put_bytes`.
        """
        refreshed = [self._refresh(key) for key in self._keys(f"{OBJECTS}/{sha256[:2]}/{sha256}", "")]
        return bool(refreshed) and all(refreshed)

    @observed("delete")
    def delete(self, sha256: str) -> None:
        """Remove an artifact, under every media type it was stored with."""
        for key in list(self._keys(f"{OBJECTS}/{sha256[:2]}/{sha256}", "")):
            self._delete(key)

    # Reading.

    def read_bytes(self, artifact: Artifact, *, field: str = "artifact", max_bytes: int | None = None) -> bytes:
        """Return the verified bytes of an artifact, inline or stored.

        Raises:
            InvalidArgumentError: `field` names nothing in this store, its digest contradicts its bytes, or it is larger
                than `max_bytes`.
            NotFoundError: it is not in the store.
            DataLossError: the stored bytes do not match their digest.
        """
        with self._open_verified(artifact, field, max_bytes) as chunks:
            return b"".join(chunks)

    def iter_chunks(self, artifact: Artifact, *, field: str = "artifact") -> Iterator[bytes]:
        """Yield the bytes of an artifact in chunks of up to 1 MiB; errors as `read_bytes`, DataLossError at the end."""
        with self._open_verified(artifact, field, None) as chunks:
            yield from chunks

    def read_range(self, sha256: str, offset_bytes: int, length_bytes: int) -> bytes:
        """Return a range of a stored artifact, not verified; `length_bytes` 0 means to the end.

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
        """Yield the path of a verified local copy of an artifact, which has the extension of its media type.

        The copy is removed after the block. Errors as `read_bytes`.
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
            with reading.part():
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
            with reading.part():
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
            with reading.part():
                raise DataLossError(f"the bytes of {key} do not match their digest")

    # Persisted results: bytes under a name, for later processes. Not artifacts: they may be replaced and lost.

    @observed("result")
    def put_result(self, name: str, data: bytes) -> None:
        """Store bytes under any name, in place of earlier ones; errors as `put_bytes`."""
        self._replace(result_key_of(name), data)

    @observed("result")
    def get_result(self, name: str) -> bytes | None:
        """Return the bytes under a name, or None. They are not verified: the caller must detect damage."""
        try:
            with self._open(result_key_of(name)) as file:
                return file.read()
        except NotFoundError:
            return None

    def delete_results_before(self, time_s: float) -> int:
        """Remove results that were written before a Unix time in seconds; return how many there were."""
        old = [key for key, written_s in self._written(RESULTS) if written_s < time_s]
        for key in old:
            self._delete(key)
        return len(old)

    # Owners: databases that refer to artifacts of this store.

    def register_owner(self, owner_id: str) -> None:
        """Record that a database refers to artifacts here; 32 hexadecimal digits name it. Errors as `put_bytes`."""
        key = owner_key_of(owner_id)
        if not self._refresh(key):
            self._replace(key, b"")

    def forget_owner(self, owner_id: str) -> None:
        """Remove that record."""
        self._delete(owner_key_of(owner_id))

    def owners(self) -> dict[str, float]:
        """Return the registered databases, and the Unix time in seconds at which each registered last."""
        return {key.rsplit("/", 1)[1]: written_s for key, written_s in self._written(OWNERS)}

    # Look-ups.

    def uri_for(self, sha256: str, media_type: str) -> str:
        """Return the URI of an artifact in this store, whether it exists or not."""
        return self.base_uri + key_of(sha256, media_type)

    def key_from(self, artifact: Artifact, field: str = "artifact") -> str:
        """Return the key of an artifact.

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
        """Return the digest of an artifact by its URI, whether it exists or not; errors as `key_from`."""
        return digest_of_key(self.key_from(artifact, field))

    @observed("stat")
    def stat(self, sha256: str) -> Artifact | None:
        """Return the artifact with this digest: uri, sha256, media type and size, or None."""
        for key in self._keys(f"{OBJECTS}/{sha256[:2]}/{sha256}", ""):
            stored = self._head(key)
            return stored.artifact if stored else None
        return None

    @observed("list")
    def list(self, after_sha256: str = "", limit: int = 100) -> list[StoredObject]:
        """Return up to `limit` artifacts with a digest greater than `after_sha256`, in order of digest."""
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
        """Return whether the stored bytes of an artifact match its digest; errors as `read_bytes` otherwise."""
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
