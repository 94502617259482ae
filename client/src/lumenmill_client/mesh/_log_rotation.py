"""Bounds the logs of a local mesh in size and number."""

import os
import shutil
from pathlib import Path

from lumenmill_client.mesh._home import Home

__all__ = ["rotate_logs"]

_MAX_BYTES = 16 << 20
_NUM_OLD = 3


def rotate_logs(home: Home) -> None:
    """Copy every large log to `<name>.log.1`, and earlier copies to higher numbers, and empty it.

    Its process keeps it open and appends to it, which is why it is not renamed. Lines that are written between copy
    and emptying, a few microseconds, are lost. Raises OSError.
    """
    for log in home.log_files():
        if log.stat().st_size > _MAX_BYTES:
            _rotate(log)


def _rotate(log: Path) -> None:
    old = [log.with_name(f"{log.name}.{number}") for number in range(1, _NUM_OLD + 1)]
    for older, newer in zip(reversed(old), reversed([log, *old[:-1]]), strict=True):
        if newer is not log and newer.exists():
            newer.replace(older)
    with log.open("r+b") as source, old[0].open("wb") as copy:
        # Not more than a log may have, however far it has grown meanwhile: the newest lines say most.
        source.seek(max(source.seek(0, os.SEEK_END) - 2 * _MAX_BYTES, 0))
        shutil.copyfileobj(source, copy)
        source.truncate(0)
