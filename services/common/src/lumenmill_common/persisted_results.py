"""Results of jobs in the store, so that a restarted service does not repeat finished work."""

import hashlib

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore, artifacts_in, digest_of
from lumenmill_common.job import Job
from lumenmill_common.telemetry import get_logger

__all__ = ["PersistedResults"]

_DIGEST_BYTES = 32
_log = get_logger(__name__)


class PersistedResults:
    """Stores results of jobs by model and request. Called from worker threads.

    No error of the store fails a job: the result is then computed again, or not persisted.
    """

    def __init__(self, store: ArtifactStore, min_duration_s: float) -> None:
        """Results of jobs that took less than `min_duration_s` are not persisted: computing them again is cheaper."""
        self._store, self._min_duration_s = store, min_duration_s
        self.model_identity = ""
        """Family, model and revision: a result is valid for one revision."""

    def find(self, job: Job) -> Message | None:
        """Return the persisted result of a job if all its media exist; protects these from garbage collection."""
        try:
            data = self._store.get_result(self._name(job))
            if data is None:
                return None
            result = _unpacked(data, job.result_type)
            if result is None or not all(self._exists(artifact) for artifact in artifacts_in(result)):
                return None
        except Exception as error:
            _log.warning("a persisted result could not be read", reason=f"{type(error).__name__}: {error}")
            return None
        return result

    def _exists(self, artifact: Artifact) -> bool:
        return artifact.HasField("inline_data") or self._store.touch(digest_of(artifact))

    def persist(self, job: Job, result: Message, duration_s: float) -> None:
        """Store a result if its job took long enough."""
        if duration_s < self._min_duration_s:
            return
        try:
            self._store.put_result(self._name(job), _packed(result))
        except Exception as error:
            _log.warning("a result could not be persisted", reason=f"{type(error).__name__}: {error}")

    def _name(self, job: Job) -> str:
        return "\n".join((self.model_identity, job.key, job.fingerprint.hex()))


def _packed(result: Message) -> bytes:
    packed = Any()
    packed.Pack(result)
    data = packed.SerializeToString(deterministic=True)
    return hashlib.sha256(data).digest() + data


def _unpacked(data: bytes, result_type: type[Message]) -> Message | None:
    digest, packed, result = data[:_DIGEST_BYTES], Any(), result_type()
    if hashlib.sha256(data[_DIGEST_BYTES:]).digest() != digest:
        return None
    try:
        packed.ParseFromString(data[_DIGEST_BYTES:])
        return result if packed.Unpack(result) else None
    except DecodeError:
        return None
