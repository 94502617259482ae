"""Results that outlive the process, in the store: what a job had finished is not done again after a restart."""

import hashlib

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from lumenmill.common.v1.artifact_pb2 import Artifact

from lumenmill_common._job import Job
from lumenmill_common.artifacts import ArtifactStore, artifacts_in, digest_of
from lumenmill_common.telemetry import get_logger

__all__ = ["KeptResults"]

_DIGEST_BYTES = 32
_log = get_logger(__name__)


class KeptResults:
    """Keeps results of jobs by what was asked of which model. Called from worker threads.

    Nothing here ever fails a job, whatever goes wrong: a result that cannot be kept is only not kept.
    """

    def __init__(self, store: ArtifactStore, min_duration_s: float) -> None:
        """Jobs that took less than `min_duration_s` are cheaper to do again than to keep."""
        self._store, self._min_duration_s = store, min_duration_s
        self.model_identity = ""
        """Family, model and revision: another revision does not answer with this one's results."""

    def find(self, job: Job) -> Message | None:
        """The result of an earlier process, if all media that it names are still there; they are young again then."""
        try:
            data = self._store.get_result(self._name(job))
            if data is None:
                return None
            result = _unpacked(data, job.result_type)
            if result is None or not all(self._is_there(artifact) for artifact in artifacts_in(result)):
                return None
        except Exception as error:
            _log.warning("kept results could not be read", reason=f"{type(error).__name__}: {error}")
            return None
        return result

    def _is_there(self, artifact: Artifact) -> bool:
        return artifact.HasField("inline_data") or self._store.touch(digest_of(artifact))

    def keep(self, job: Job, result: Message, duration_s: float) -> None:
        """Keep a result that took long enough."""
        if duration_s < self._min_duration_s:
            return
        try:
            self._store.put_result(self._name(job), _packed(result))
        except Exception as error:
            _log.warning("a result could not be kept", reason=f"{type(error).__name__}: {error}")

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
