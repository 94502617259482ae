"""Media inside a reply, for callers without access to the store."""

import contextlib

from google.protobuf.message import Message

from lumenmill_common.artifacts import ArtifactStore, artifacts_in
from lumenmill_common.errors import InvalidArgumentError, NotFoundError

__all__ = ["with_inline_media"]

_MAX_ARTIFACT_BYTES = 3 << 20
# Leaves room for the rest of a reply below the limit of a message.
_MAX_REPLY_BYTES = 24 << 20


def with_inline_media(result: Message, store: ArtifactStore) -> Message:
    """A copy of a result whose artifacts of at most 3 MiB carry their bytes, until 24 MiB are reached.

    What the request named, the result may name again, whether it is there or not: such artifacts stay as they are.
    """
    copy = type(result)()
    copy.CopyFrom(result)
    left = _MAX_REPLY_BYTES
    for artifact in artifacts_in(copy):
        largest = min(_MAX_ARTIFACT_BYTES, left)
        if artifact.size_bytes > largest:
            continue
        with contextlib.suppress(InvalidArgumentError, NotFoundError):
            artifact.inline_data = store.read_bytes(artifact, max_bytes=largest)
            left -= len(artifact.inline_data)
    return copy
