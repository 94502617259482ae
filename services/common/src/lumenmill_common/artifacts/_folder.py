"""A store in a folder: the embedded default."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from lumenmill_common.artifacts._layout import OBJECTS, is_key
from lumenmill_common.artifacts._store import ArtifactStore, StoredObject
from lumenmill_common.errors import (
    LumenmillError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnavailableError,
)

__all__ = ["FolderStore"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FolderStore(ArtifactStore):
    """Artifacts as files below a folder. Files appear whole by rename; links are never followed."""

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser().resolve()
        super().__init__(self._root.as_uri())
        try:
            (self._root / OBJECTS).mkdir(parents=True, exist_ok=True)
            (self._root / "incoming").mkdir(exist_ok=True)
        except OSError as error:
            raise _mapped(error, str(self._root)) from error

    def _open(self, key: str) -> BinaryIO:
        folder, name = (self._root / key).parent, Path(key).name
        try:
            folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                file_fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder_fd)
            finally:
                os.close(folder_fd)
        except OSError as error:
            raise _mapped(error, key) from error
        return os.fdopen(file_fd, "rb")

    def _open_range(self, key: str, offset_bytes: int, length_bytes: int) -> BinaryIO:
        with self._open(key) as file:
            file.seek(offset_bytes)
            return BytesIO(file.read(length_bytes))

    def _write(self, key: str, path: Path) -> None:
        target = self._root / key
        try:
            if target.is_file() and not target.is_symlink() and target.stat().st_size == path.stat().st_size:
                os.utime(target)
                return
            target.parent.mkdir(exist_ok=True)
            self._copy_whole(path, target)
        except OSError as error:
            raise _mapped(error, key) from error

    def _copy_whole(self, path: Path, target: Path) -> None:
        incoming_fd, incoming = tempfile.mkstemp(dir=self._root / "incoming")
        try:
            with os.fdopen(incoming_fd, "wb") as file, path.open("rb") as source:
                shutil.copyfileobj(source, file)
                file.flush()
                os.fsync(file.fileno())
            Path(incoming).chmod(0o644)
            Path(incoming).replace(target)
        except BaseException:
            Path(incoming).unlink(missing_ok=True)
            raise

    def _head(self, key: str) -> StoredObject | None:
        try:
            status = (self._root / key).stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        return self._describe(key, status.st_size, status.st_mtime)

    def _keys(self, prefix: str, after_key: str) -> Iterator[str]:
        for shard in sorted(path.name for path in (self._root / OBJECTS).iterdir() if path.is_dir()):
            folder = f"{OBJECTS}/{shard}/"
            if not (folder.startswith(prefix) or prefix.startswith(folder)) or after_key > folder + "~":
                continue
            for name in sorted(path.name for path in (self._root / folder).iterdir()):
                key = folder + name
                if key.startswith(prefix) and key > after_key and is_key(key):
                    yield key

    def _delete(self, key: str) -> None:
        (self._root / key).unlink(missing_ok=True)

    def check(self) -> None:
        """Writes and removes a file."""
        try:
            with tempfile.NamedTemporaryFile(dir=self._root / "incoming"):
                pass
        except OSError as error:
            raise _mapped(error, str(self._root)) from error


def _mapped(error: OSError, what: str) -> LumenmillError:
    if error.errno in _FULL:
        return ResourceExhaustedError(f"the artifact store is full ({error.strerror})", retry_delay_s=30.0)
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"no artifact {what} in the store")
    if isinstance(error, PermissionError):
        return PermissionDeniedError(f"the artifact store does not allow access to {what}")
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return NotFoundError(f"{what} is not an artifact of the store")
    return UnavailableError(f"the artifact store failed on {what}: {error.strerror}")
