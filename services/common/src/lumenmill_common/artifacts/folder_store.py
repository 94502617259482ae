"""A store in a folder: the default."""

import contextlib
import math
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lumenmill_common.artifacts.backend import Source, StoredObject
from lumenmill_common.artifacts.layout import OBJECTS, is_key
from lumenmill_common.artifacts.os_errors import os_errors_mapped
from lumenmill_common.artifacts.store import CHUNK_BYTES, ArtifactStore
from lumenmill_common.errors import NotFoundError, UnavailableError
from lumenmill_common.telemetry import STORE_FREE_BYTES

__all__ = ["FolderStore"]

_INCOMING = "incoming"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


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

    @contextlib.contextmanager
    def _folder(self, folder: str, *, make: bool = False) -> Iterator[int]:
        """Yield the descriptor of a folder below the root, none of whose parts is a link; the root itself may be one.

        With `make`, the folder is made where it is missing, but not that of all artifacts: without it this is no store,
        as when a disk is not mounted. Raises OSError.
        """
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in PurePosixPath(folder).parts:
                if make and part != OBJECTS:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=descriptor)
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _place_of(self, key: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Yield the descriptor of the folder of a key and the name of its file; errors are mapped."""
        folder, _, name = key.rpartition("/")
        with self._errors_mapped(key), self._folder(folder, make=make) as descriptor:
            yield descriptor, name

    def _open(self, key: str) -> BinaryIO:
        with self._place_of(key) as (folder, name):
            file_fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(file_fd).st_mode):
            os.close(file_fd)
            raise NotFoundError(f"{key} is not an artifact of the store")
        return _File(file_fd, key)

    def _open_range(self, key: str, offset_bytes: int, length_bytes: int) -> BinaryIO:
        with self._open(key) as file:
            file.seek(offset_bytes)
            return BytesIO(file.read(length_bytes))

    def _write(self, key: str, source: Source, size_bytes: int) -> None:
        with self._place_of(key, make=True) as (folder, name):
            if self._holds(key, source, size_bytes):
                os.utime(name, dir_fd=folder, follow_symlinks=False)
                return
            self._write_atomically(source, folder, name)

    def _holds(self, key: str, source: Source, size_bytes: int) -> bool:
        """Return whether a file exists and holds the same bytes; a damaged one does not, and is written again."""
        stored = self._head(key)
        if stored is None or stored.artifact.size_bytes != size_bytes:
            return False
        with self._open(key) as file:
            equal = all(file.read(CHUNK_BYTES) == chunk for chunk in iter(lambda: source.read(CHUNK_BYTES), b""))
        source.seek(0)
        return equal

    def _write_atomically(self, source: Source, folder: int, name: str) -> None:
        incoming = secrets.token_hex(16)
        with self._folder(_INCOMING) as incoming_folder:
            incoming_fd = os.open(incoming, _NEW_FILE, 0o600, dir_fd=incoming_folder)
            try:
                with os.fdopen(incoming_fd, "wb") as file:
                    shutil.copyfileobj(source, file, CHUNK_BYTES)
                    file.flush()
                    os.fchmod(file.fileno(), 0o644)
                    os.fsync(file.fileno())
                os.replace(incoming, name, src_dir_fd=incoming_folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(incoming, dir_fd=incoming_folder)
                raise

    def _refresh(self, key: str) -> bool:
        if self._head(key) is None:
            return False
        try:
            with self._place_of(key) as (folder, name):
                os.utime(name, dir_fd=folder, follow_symlinks=False)
        except NotFoundError:
            return False
        return True

    def _head(self, key: str) -> StoredObject | None:
        try:
            with self._place_of(key) as (folder, name):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
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
            with self._errors_mapped(folder), self._folder(folder) as descriptor:
                return sorted(os.listdir(descriptor))  # noqa: PTH208 - of a descriptor
        except NotFoundError:
            return []

    def _replace(self, key: str, data: bytes) -> None:
        with self._place_of(key, make=True) as (folder, name):
            self._write_atomically(BytesIO(data), folder, name)

    def _written(self, prefix: str) -> Iterator[tuple[str, float]]:
        try:
            with self._errors_mapped(prefix), self._folder(prefix) as top:
                for folder, _, names, descriptor in os.fwalk(".", dir_fd=top, follow_symlinks=False):
                    for name in names:
                        with contextlib.suppress(FileNotFoundError):
                            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                            if stat.S_ISREG(status.st_mode):
                                yield PurePosixPath(prefix, folder, name).as_posix(), status.st_mtime
        except NotFoundError:
            return

    def _delete(self, key: str) -> None:
        with contextlib.suppress(NotFoundError), self._place_of(key) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def clock_s(self) -> float:
        """As in StoreBackend: the time that the file system gives to a folder."""
        with self._errors_mapped(_INCOMING), self._folder(_INCOMING) as folder:
            os.utime(folder)
            return os.fstat(folder).st_mtime

    def check(self) -> None:
        """As in StoreBackend: write and remove a file."""
        name = secrets.token_hex(16)
        with os_errors_mapped(str(self._root)), self._folder(_INCOMING) as folder:
            os.close(os.open(name, _NEW_FILE, 0o600, dir_fd=folder))
            os.unlink(name, dir_fd=folder)


class _File(BufferedReader):
    """An open file whose reads raise LumenmillErrors."""

    def __init__(self, file_fd: int, key: str) -> None:
        super().__init__(FileIO(file_fd))
        self._key = key

    def read(self, num_bytes: int | None = -1, /) -> bytes:
        with os_errors_mapped(self._key):
            return super().read(num_bytes)
