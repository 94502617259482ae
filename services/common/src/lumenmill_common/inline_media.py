"""Media inside a response, for callers without access to the store."""

import contextlib

from google.protobuf.message import Message

from lumenmill_common.artifacts import ArtifactStore, artifacts_in
from lumenmill_common.errors import InvalidArgumentError, NotFoundError

__all__ = ["with_inline_media"]

_MAX_ARTIFACT_BYTES = 3 << 20
# Leaves space for the rest of a response below the limit of a message.
_MAX_RESPONSE_BYTES = 24 << 20


def with_inline_media(result: Message, store: ArtifactStore) -> Message:
    """Return a copy of a result in which artifacts of at most 3 MiB carry their bytes, up to 24 MiB in total.

    A result may repeat artifacts of the request, which need not exist in the store: these are left unchanged.
    """
    copy = type(result)()
    copy.CopyFrom(result)
    left = _MAX_RESPONSE_BYTES
    for artifact in artifacts_in(copy):
        largest = min(_MAX_ARTIFACT_BYTES, left)
        if artifact.size_bytes > largest:
            continue
        with contextlib.suppress(InvalidArgumentError, NotFoundError):
            artifact.inline_data = store.read_bytes(artifact, max_bytes=largest)
            left -= len(artifact.inline_data)
    return copy
