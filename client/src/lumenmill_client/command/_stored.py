"""Artifacts of the store by what commands print of them: URI, digest, or the first digits of a digest."""

import re

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_client._client import Client
from lumenmill_common.artifacts import digest_of, media_type_of
from lumenmill_common.errors import InvalidArgumentError, NotFoundError

__all__ = ["find_artifact", "names_artifact"]

_DIGITS = re.compile("[0-9a-f]{1,64}")


def names_artifact(text: str) -> bool:
    """Return whether a text has the form of an artifact's URI or of the digits of a digest."""
    return "://" in text or _DIGITS.fullmatch(text) is not None


def find_artifact(client: Client, named: str, argument: str) -> Artifact:
    """Return the artifact with a URI, which need not exist, or with a digest that begins with some digits.

    Raises:
        InvalidArgumentError: the URI is not that of an artifact, or several digests begin so; names `argument`.
        NotFoundError: no digest in the store begins so.
    """
    if "://" in named:
        digest = digest_of(Artifact(uri=named))
        if not digest:
            raise InvalidArgumentError(argument, f"{named!r} is not the URI of an artifact, which ends in its digest")
        return Artifact(uri=named, sha256=digest, media_type=media_type_of(named))
    matching = {found.sha256: found for found in client.artifacts() if found.sha256.startswith(named)}
    if not matching:
        raise NotFoundError(f"no artifact {named} in the store")
    if len(matching) > 1:
        raise InvalidArgumentError(argument, f"{len(matching)} artifacts begin with {named}; give more digits")
    return next(iter(matching.values()))
