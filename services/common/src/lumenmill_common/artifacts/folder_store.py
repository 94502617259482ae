"""A store in a folder: the default."""

import contextlib
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import BinaryIO

from lumenmill_common.artifacts.backend import Source, StoredObject
from lumenmill_common.artifacts.layout import OBJECTS, is_key
from lumenmill_common.artifacts.os_errors import os_errors_mapped
from lumenmill_common.artifacts.store import CHUNK_BYTES, ArtifactStore
from lumenmill_common.errors import NotFoundError, UnavailableError
from lumenmill_common.telemetry import STORE_FREE_BYTES

__all__ = ["FolderStore"]

_INCOMING = "incoming"


class FolderStore(ArtifactStore):
    """Artifacts as files below a folder. Files are written elsewhere and renamed; links are never followed."""

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser().resolve()
        super().__init__(self._root.as_uri())
        with os_errors_mapped(str(self._root)):
            (self._root / OBJECTS).mkdir(parents=True, exist_ok=True)
            (self._root / _INCOMING).mkdir(exist_ok=True)
        STORE_FREE_BYTES.labels("folder").set_function(self._free_bytes)

    def _free_bytes(self) -> float:
        """Return the metric; NaN while the folder is missing, since an exception would prevent all other metrics."""
        try:
            return float(shutil.disk_usage(self._root).free)
        except OSError:
            return math.nan

    @contextlib.contextmanager
    def _errors_mapped(self, what: str) -> Iterator[None]:
        """As `os_errors_mapped`, but raise UnavailableError for NotFoundError while the whole store is missing."""
        try:
            with os_errors_mapped(what):
                yield
        except NotFoundError:
            if (self._root / OBJECTS).is_dir():
                raise
            raise UnavailableError(f"the artifact store {self._root} is away") from None

    def _open(self, key: str) -> BinaryIO:
        folder, name = (self._root / key).parent, Path(key).name
        with self._errors_mapped(key):
            folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                file_fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder_fd)
            finally:
                os.close(folder_fd)
        if not stat.S_ISREG(os.fstat(file_fd).st_mode):
            os.close(file_fd)
            raise NotFoundError(f"{key} is not an artifact of the store")
        return _File(file_fd, key)

    def _open_range(self, key: str, offset_bytes: int, length_bytes: int) -> BinaryIO:
        with self._open(key) as file:
            file.seek(offset_bytes)
            return BytesIO(file.read(length_bytes))

    def _write(self, key: str, source: Source, size_bytes: int) -> None:
        target = self._root / key
        with self._errors_mapped(key):
            if _is_equal(target, source, size_bytes):
                os.utime(target)
                return
            target.parent.mkdir(exist_ok=True)
            self._write_atomically(source, target)

    def _write_atomically(self, source: Source, target: Path) -> None:
        incoming_fd, incoming = tempfile.mkstemp(dir=self._root / _INCOMING)
        try:
            with os.fdopen(incoming_fd, "wb") as file:
                shutil.copyfileobj(source, file, CHUNK_BYTES)
                file.flush()
                os.fsync(file.fileno())
            Path(incoming).chmod(0o644)
            Path(incoming).replace(target)
        except BaseException:
            Path(incoming).unlink(missing_ok=True)
            raise

    def _refresh(self, key: str) -> bool:
        if self._head(key) is None:
            return False
        try:
            with self._errors_mapped(key):
                os.utime(self._root / key, follow_symlinks=False)
        except NotFoundError:
            return False
        return True

    def _head(self, key: str) -> StoredObject | None:
        try:
            with self._errors_mapped(key):
                status = (self._root / key).stat(follow_symlinks=False)
        except NotFoundError:
            return None
        # Other programs may have put links and folders into the folder; these are not artifacts.
        return self._describe(key, status.st_size, status.st_mtime) if stat.S_ISREG(status.st_mode) else None

    def _keys(self, prefix: str, after_key: str) -> Iterator[str]:
        _, shard_in_prefix, *more = prefix.split("/")
        for shard in [shard_in_prefix] if more else self._names(OBJECTS):
            folder = f"{OBJECTS}/{shard}/"
            if after_key > folder + "~":
                continue
            for name in self._names(folder):
                key = folder + name
                if key.startswith(prefix) and key > after_key and is_key(key):
                    yield key

    def _names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder; none if it does not exist."""
        try:
            with self._errors_mapped(folder):
                return sorted(path.name for path in (self._root / folder).iterdir())
        except NotFoundError:
            return []

    def _replace(self, key: str, data: bytes) -> None:
        target = self._root / key
        with self._errors_mapped(key):
            # Not all parents: a store whose folder is missing must not be created anew.
            for folder in (self._root / Path(key).parts[0], target.parent):
                folder.mkdir(exist_ok=True)
            self._write_atomically(BytesIO(data), target)

    def _written(self, prefix: str) -> Iterator[tuple[str, float]]:
        with self._errors_mapped(prefix):
            for path in (self._root / prefix).rglob("*"):
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        yield path.relative_to(self._root).as_posix(), status.st_mtime

    def _delete(self, key: str) -> None:
        with self._errors_mapped(key):
            (self._root / key).unlink(missing_ok=True)

    def clock_s(self) -> float:
        """As in StoreBackend: the time that the file system gives to a folder."""
        with self._errors_mapped(_INCOMING):
            os.utime(self._root / _INCOMING)
            return (self._root / _INCOMING).stat().st_mtime

    def check(self) -> None:
        """As in StoreBackend: write and remove a file."""
        with os_errors_mapped(str(self._root)), tempfile.NamedTemporaryFile(dir=self._root / _INCOMING):
            pass


class _File(BufferedReader):
    """An open file whose reads raise LumenmillErrors."""

    def __init__(self, file_fd: int, key: str) -> None:
        super().__init__(FileIO(file_fd))
        self._key = key

    def read(self, num_bytes: int | None = -1, /) -> bytes:
        with os_errors_mapped(self._key):
            return super().read(num_bytes)


def _is_equal(target: Path, source: Source, size_bytes: int) -> bool:
    """Return whether a file exists and holds the same bytes; a damaged one does not, and is written again."""
    if target.is_symlink() or not target.is_file() or target.stat().st_size != size_bytes:
        return False
    with target.open("rb") as stored:
        equal = all(stored.read(CHUNK_BYTES) == chunk for chunk in iter(lambda: source.read(CHUNK_BYTES), b""))
    source.seek(0)
    return equal
