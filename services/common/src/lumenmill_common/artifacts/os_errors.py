"""Maps errors of the local file system to those of the store."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from lumenmill_common.errors import (
    LumenmillError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)
from lumenmill_common.full_disk import full_disk_error, is_disk_full

__all__ = ["os_errors_mapped"]


@contextmanager
def os_errors_mapped(what: str) -> Iterator[None]:
    """Raise the LumenmillError for an OSError of the block; `what` names the object for its message."""
    try:
        yield
    except OSError as error:
        raise _mapped(error, what) from error


def _mapped(error: OSError, what: str) -> LumenmillError:
    if is_disk_full(error):
        return full_disk_error(what, error.strerror or "")
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"no artifact {what} in the store")
    if isinstance(error, PermissionError):
        return PermissionDeniedError(f"the artifact store does not allow access to {what}")
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return NotFoundError(f"{what} is not an artifact of the store")
    return UnavailableError(f"the artifact store failed on {what}: {error.strerror}")
