"""Names that become parts of paths: of files and folders of datasets, of members of tar files.

run.proto states the same patterns, so that callers are refused early; they hold wherever a path is made.
"""

import hashlib
import re

from lumenmill.common.v1 import artifact_pb2
from lumenmill_common.artifacts import extension_of
from lumenmill_common.errors import FailedPreconditionError

__all__ = ["check_role", "file_name_of", "is_name", "is_role", "name_from"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_ROLE = re.compile(r"[a-z0-9_]{1,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST_LENGTH = 16
_LONGEST_STEM = 63 - _DIGEST_LENGTH - 1


def is_name(text: str) -> bool:
    """Return whether a text can be the id of a run or of a group of samples."""
    return _NAME.fullmatch(text) is not None


def is_role(text: str) -> bool:
    """Return whether a text can be the role of a medium of a sample."""
    return _ROLE.fullmatch(text) is not None


def name_from(text: str) -> str:
    """Return a name that stands for any text: the text itself where it is one, else its words and its digest."""
    if is_name(text):
        return text
    stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST_STEM].rstrip("-")
    return f"{stem or 'group'}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]}"


def check_role(role: str) -> str:
    """Return the role of a medium.

    Raises:
        FailedPreconditionError: it is none.
    """
    if not is_role(role):
        raise FailedPreconditionError(
            f"{role[:80]!r} is not a role of media; roles have small letters, digits and `_`, at most 63"
        )
    return role


def file_name_of(artifact: artifact_pb2.Artifact) -> str:
    """Return the name of a media file: its digest, and the extension of its media type.

    Raises:
        FailedPreconditionError: it has no digest.
        InvalidArgumentError: the store keeps no files of its media type.
    """
    if not _SHA256.fullmatch(artifact.sha256):
        raise FailedPreconditionError(f"{artifact.sha256[:80]!r} is not a digest of 64 hexadecimal digits")
    return artifact.sha256 + extension_of(artifact.media_type)
