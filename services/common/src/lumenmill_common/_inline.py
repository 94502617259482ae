"""Media inside a reply, for callers without access to the store."""

from google.protobuf.message import Message

from lumenmill_common._artifacts_in import artifacts_in
from lumenmill_common.artifacts import ArtifactStore

__all__ = ["with_inline_media"]

_MAX_ARTIFACT_BYTES = 3 << 20
# Leaves room for the rest of a reply below the limit of a message.
_MAX_REPLY_BYTES = 24 << 20


def with_inline_media(result: Message, store: ArtifactStore) -> Message:
    """A copy of a result whose artifacts of at most 3 MiB carry their bytes, until 24 MiB are reached."""
    copy = type(result)()
    copy.CopyFrom(result)
    left = _MAX_REPLY_BYTES
    for artifact in artifacts_in(copy):
        if artifact.size_bytes <= min(_MAX_ARTIFACT_BYTES, left):
            artifact.inline_data = store.read_bytes(artifact)
            left -= artifact.size_bytes
    return copy
