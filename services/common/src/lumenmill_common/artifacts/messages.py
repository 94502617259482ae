"""Finds the artifacts that messages name."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from lumenmill.common.v1.artifact_pb2 import Artifact

__all__ = ["artifacts_in", "digest_of"]

# The name of an object, as artifacts.layout makes it; folders above it may look like digests too.
_NAME = re.compile(r"(?:.*/)?([0-9a-f]{64})(?:\.[^/]*)?", re.DOTALL)


def digest_of(artifact: Artifact) -> str:
    """Return the digest of an artifact by its field, its inline bytes or its URI; empty without any of them."""
    if artifact.sha256:
        return artifact.sha256
    if artifact.HasField("inline_data"):
        return hashlib.sha256(artifact.inline_data).hexdigest()
    match = _NAME.fullmatch(artifact.uri)
    return match[1] if match else ""


def artifacts_in(value: Any, without: Descriptor | None = None) -> Iterator[Artifact]:
    """Yield all artifacts in a message, or in a list or mapping of them; they may be changed in place.

    Messages of the type `without` are skipped.
    """
    if isinstance(value, Artifact):
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


def _parts(message: Message, without: Descriptor | None) -> Iterator[Artifact]:
    for field, value in message.ListFields():
        if field.message_type is not None and _may_hold_artifacts(field.message_type):
            yield from artifacts_in(value, without)


@cache
def _may_hold_artifacts(descriptor: Descriptor) -> bool:
    seen: set[str] = set()
    pending = [descriptor]
    while pending:
        current = pending.pop()
        if current is Artifact.DESCRIPTOR:
            return True
        if current.full_name in seen:
            continue
        seen.add(current.full_name)
        pending += [field.message_type for field in current.fields if field.message_type is not None]
    return False
