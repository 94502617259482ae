"""The error of callers while a disk is full, wherever a file was to be written."""

import errno

from lumenmill_common.errors import ResourceExhaustedError

__all__ = ["full_disk_error", "is_disk_full"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Somebody has to remove files first.
_RETRY_DELAY_S = 30.0


def is_disk_full(error: BaseException) -> bool:
    """Return whether a disk, a quota or the size limit of a file is exhausted."""
    return isinstance(error, OSError) and error.errno in _FULL


def full_disk_error(what: str, reason: str) -> ResourceExhaustedError:
    """Return the error that says what there is no space for, and why in the system's words."""
    return ResourceExhaustedError(f"no space left for {what} ({reason})", _RETRY_DELAY_S)
