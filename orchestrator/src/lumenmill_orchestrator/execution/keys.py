"""Content keys: what makes two calls the same computation.

key = sha256(contract, RPC, model, revision, request), where the request has no job options and every
artifact in it counts by its digest alone: its location, name, licence and facts change nothing.
"""

import hashlib

from google.protobuf.message import Message

from lumenmill.common.v1 import model_pb2
from lumenmill_common.artifacts import artifacts_in, digest_of
from lumenmill_orchestrator.contracts import Method

__all__ = ["artifact_sha256s", "content_key", "derived_seed", "request_id_of"]


def content_key(method: Method, model: model_pb2.Model, request: Message) -> str:
    """Return the key of a call: 64 hexadecimal digits. `request` is without job options."""
    bare = type(request)()
    bare.CopyFrom(request)
    for artifact in artifacts_in(bare):
        digest = digest_of(artifact)
        artifact.Clear()
        artifact.sha256 = digest
    head = "\n".join((method.path, model.family, model.name, model.revision, ""))
    return hashlib.sha256(head.encode() + bare.SerializeToString(deterministic=True)).hexdigest()


def request_id_of(key: str, request: Message) -> str:
    """Return the id under which services know a job: stable over restarts of either side, and of one exact request.

    The key alone would not do: requests that differ in what the key leaves out are different requests to a service.
    `request` is without job options.
    """
    rest = hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
    return f"{key[:40]}-{rest[:16]}"


def artifact_sha256s(message: Message) -> list[str]:
    """Return the digests of all artifacts in a message, each once, in order."""
    found = dict.fromkeys(digest_of(artifact) for artifact in artifacts_in(message))
    return [sha256 for sha256 in found if sha256]


def derived_seed(recipe_seed: int, *path: str | int) -> int:
    """Return a seed of 32 bits for a step of an item: the same in every run of the recipe with the same seed
    parameter. `path` is pipeline, item, step and instance."""
    text = "/".join(str(part) for part in (recipe_seed, *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
