"""Content keys: what makes two calls the same computation.

key = sha256(contract, RPC, model, revision, request), where the request is taken without its job options and every
artifact in it counts by its digest alone: where it lies, what it is called, on which terms it came and what is known
about it change nothing.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from lumenmill.common.v1 import artifact_pb2, model_pb2

from lumenmill_orchestrator.contracts import Method

__all__ = ["artifact_sha256s", "artifacts_in", "content_key", "derived_seed", "digest_of", "request_id_of"]

_ARTIFACT = artifact_pb2.Artifact.DESCRIPTOR
_DIGEST = re.compile(r"[0-9a-f]{64}")


def content_key(method: Method, model: model_pb2.Model, request: Message) -> str:
    """The key of a call: 64 hexadecimal digits."""
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("job")
    for artifact in artifacts_in(bare):
        digest = digest_of(artifact)
        artifact.Clear()
        artifact.sha256 = digest
    head = "\n".join((method.path, model.family, model.name, model.revision, ""))
    return hashlib.sha256(head.encode() + bare.SerializeToString(deterministic=True)).hexdigest()


def request_id_of(key: str, request: Message) -> str:
    """The id under which services know a job: stable over restarts of either side, and of one request exactly.

    The key alone would not do: requests that differ in what the key leaves out are different requests to a service.
    """
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("job")
    rest = hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()
    return f"{key[:40]}-{rest[:16]}"


def artifact_sha256s(message: Message) -> list[str]:
    """Digests of all artifacts in a message, each once, in order."""
    found = dict.fromkeys(digest_of(artifact) for artifact in artifacts_in(message))
    return [sha256 for sha256 in found if sha256]


def derived_seed(recipe_seed: int, *place: str | int) -> int:
    """A seed of 32 bits for a place in a run, the same in every run of the recipe with the same seed parameter."""
    text = "/".join(str(part) for part in (recipe_seed, *place))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def digest_of(artifact: artifact_pb2.Artifact) -> str:
    """The digest of an artifact, from wherever it is stated; empty when it is not."""
    if artifact.sha256:
        return artifact.sha256
    if artifact.HasField("inline_data"):
        return hashlib.sha256(artifact.inline_data).hexdigest()
    match = _DIGEST.search(artifact.uri)
    return match.group() if match else ""


def artifacts_in(value: Any, without: Descriptor | None = None) -> Iterator[artifact_pb2.Artifact]:
    """All artifacts in a message, or in a list or mapping of them; messages of the type `without` are passed by."""
    if isinstance(value, artifact_pb2.Artifact):
        yield value
    elif isinstance(value, Message):
        if value.DESCRIPTOR is not without:
            yield from _parts(value, without)
    elif isinstance(value, Mapping):
        for element in value.values():
            yield from artifacts_in(element, without)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for element in value:
            yield from artifacts_in(element, without)


def _parts(message: Message, without: Descriptor | None) -> Iterator[artifact_pb2.Artifact]:
    for field, value in message.ListFields():
        if field.message_type is not None and _may_hold_artifacts(field.message_type):
            yield from artifacts_in(value, without)


@cache
def _may_hold_artifacts(descriptor: Descriptor) -> bool:
    seen: set[str] = set()
    pending = [descriptor]
    while pending:
        current = pending.pop()
        if current is _ARTIFACT:
            return True
        if current.full_name in seen:
            continue
        seen.add(current.full_name)
        pending += [field.message_type for field in current.fields if field.message_type is not None]
    return False
