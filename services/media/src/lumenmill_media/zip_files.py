"""Open ZIP files whose directory is no larger than those of any sequence: the library reads all of it at once."""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

__all__ = ["LargeDirectoryError", "open_zip"]

# 100,000 entries with names of a hundred characters.
_MAX_DIRECTORY_BYTES = 16 << 20
# The records at the end of a file (APPNOTE.TXT 6.3.10, sections 4.3.14 and 4.3.16): the last one may be followed by a
# comment of 64 KiB. Where the directory is larger than its field says, the record of ZIP64 before it has the size.
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"
_SIZE, _SIZE_64 = (12, "<I"), (40, "<Q")
_TAIL_BYTES = (64 << 10) + 256


class LargeDirectoryError(ValueError):
    """A ZIP file of more entries than are read; the text says how large its directory is."""


@contextmanager
def open_zip(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Open a ZIP file for reading.

    Raises:
        LargeDirectoryError: its directory is too large.
        zipfile.BadZipFile: it is no ZIP file.
    """
    end = file.seek(0, 2)
    file.seek(max(end - _TAIL_BYTES, 0))
    tail = file.read(_TAIL_BYTES)
    for record, (offset, number) in ((_END, _SIZE), (_END_64, _SIZE_64)):
        at = tail.rfind(record)
        field = tail[at + offset : at + offset + struct.calcsize(number)] if at >= 0 else b""
        if len(field) == struct.calcsize(number):
            (size_bytes,) = struct.unpack(number, field)
            is_elsewhere = record == _END and size_bytes == 0xFFFFFFFF
            if size_bytes > _MAX_DIRECTORY_BYTES and not is_elsewhere:
                raise LargeDirectoryError(
                    f"has a directory of {size_bytes} bytes, more than the {_MAX_DIRECTORY_BYTES} allowed"
                )
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        yield archive
