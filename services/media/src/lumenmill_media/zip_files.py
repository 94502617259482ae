"""Open ZIP files whose directory is no larger than those of any sequence: the library reads all of it at once."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

__all__ = ["LargeDirectoryError", "open_zip"]

# 100,000 entries with names of a hundred characters.
_MAX_DIRECTORY_BYTES = 16 << 20


class LargeDirectoryError(ValueError):
    """A ZIP file of more entries than are read; the text says how large its directory is."""


@contextmanager
def open_zip(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Open a ZIP file for reading.

    Raises:
        LargeDirectoryError: its directory is too large.
        zipfile.BadZipFile: it is no ZIP file.
    """
    checked = _Checked(file)
    with zipfile.ZipFile(checked) as archive:
        checked.is_open = True
        yield archive


class _Checked:
    """A file that refuses the read of a large directory.

    A file may hold several records that state the size of a directory; only `zipfile` knows which one it will use.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.is_open = False
        """Whether the directory was read; entries are read afterwards, of any size."""

    def read(self, num_bytes: int = -1) -> bytes:
        if num_bytes > _MAX_DIRECTORY_BYTES and not self.is_open:
            raise LargeDirectoryError(
                f"has a directory of {num_bytes} bytes, more than the {_MAX_DIRECTORY_BYTES} allowed"
            )
        return self._file.read(num_bytes)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True
