"""The artifacts that a message names."""

from google.protobuf.message import Message
from lumenmill.common.v1.artifact_pb2 import Artifact

__all__ = ["artifacts_in"]


def artifacts_in(message: Message) -> list[Artifact]:
    """Every artifact in a message, at any depth, in order of fields; they may be changed in place."""
    if isinstance(message, Artifact):
        return [message]
    found: list[Artifact] = []
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for part in value if field.is_repeated else [value]:
            found += artifacts_in(part)
    return found
