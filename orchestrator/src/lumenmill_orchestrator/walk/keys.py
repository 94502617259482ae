"""Content keys: what makes two calls the same computation.

key = sha256(contract, RPC, model, revision, request), where the request is taken without its job options and every
artifact in it counts by its digest alone: where it lies, what it is called, on which terms it came and what is known
about it change nothing.
"""

import hashlib

from google.protobuf.message import Message
from lumenmill.common.v1 import model_pb2
from lumenmill_common.artifacts import artifacts_in, digest_of

from lumenmill_orchestrator.contracts import Method

__all__ = ["artifact_sha256s", "content_key", "derived_seed", "request_id_of", "revision_told"]


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


def revision_told(result: Message) -> str:
    """The revision of the model that made a result, as its first record has it; empty when it has none."""
    for field, value in result.ListFields():
        if field.name == "record":
            return str(value.revision)
        if field.is_repeated and field.message_type is not None and "record" in field.message_type.fields_by_name:
            return next((str(part.record.revision) for part in value if part.HasField("record")), "")
    return ""


def derived_seed(recipe_seed: int, *place: str | int) -> int:
    """A seed of 32 bits for a place in a run, the same in every run of the recipe with the same seed parameter."""
    text = "/".join(str(part) for part in (recipe_seed, *place))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
