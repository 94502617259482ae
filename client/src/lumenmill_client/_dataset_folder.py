"""Synchronizes a local folder with an export; only differing files are written."""

import asyncio
import hashlib
import json
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.orchestrator.v1.run_pb2 import ExportedFile, ExportResult
from lumenmill_client._events import OnProgress, ProgressEvent
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.full_disk import full_disk_error, is_disk_full

__all__ = ["MANIFEST", "DatasetFolder", "SavedDataset"]

MANIFEST = ".lumenmill-export.json"
_MAX_CONCURRENT_DOWNLOADS = 8


class _Downloads(Protocol):
    async def download(self, artifact: Artifact | str, path: str | Path) -> Path: ...


@dataclass(frozen=True)
class SavedDataset:
    """A dataset that was saved in a folder."""

    folder: Path
    result: ExportResult
    """The files of the export, and the counts of included and excluded samples."""
    num_written: int
    """Files that were missing in the folder or differed."""
    num_unchanged: int
    """Files that the folder had already."""
    num_removed: int
    """Files of an earlier export that the dataset no longer has."""


class DatasetFolder:
    """A folder with a dataset. Its manifest lists the files that exports have written; others are never changed.

    A foreign file that equals a file of the export is used in its place and not added to the manifest.
    """

    def __init__(self, folder: str | Path, export_format: str) -> None:
        """`export_format` names the format of the dataset; a folder holds a dataset of one format."""
        self._folder, self._format = Path(folder), export_format
        self._manifest = self._folder / MANIFEST

    async def save(
        self, result: ExportResult, downloads: _Downloads, on_progress: OnProgress | None = None
    ) -> SavedDataset:
        """Synchronize the folder with an export.

        Raises:
            InvalidArgumentError: a path leads out of the folder, the folder cannot be written, it holds a dataset of
                another format, or a foreign file has the path of a file of the export.
            ResourceExhaustedError: the disk is full.
        """
        with _os_errors_translated(self._folder):
            return await self._save(result, downloads, on_progress)

    async def _save(self, result: ExportResult, downloads: _Downloads, on_progress: OnProgress | None) -> SavedDataset:
        exported = {file.path: file for file in result.files}
        targets = {path: self._inside(path) for path in exported}
        earlier = await asyncio.to_thread(self._earlier)
        obsolete = {path: self._inside(path) for path in earlier if path not in exported}
        await asyncio.to_thread(_check_no_foreign_files, self._folder, targets.values(), frozenset(obsolete.values()))
        missing = await asyncio.to_thread(self._missing, exported, targets, earlier)
        written = {file.path for file in missing}
        owned = {path: file for path, file in exported.items() if path in earlier or path in written}
        # The manifest comes first, so that an interrupted export can be resumed.
        await asyncio.to_thread(self._write_manifest, {**dict.fromkeys(owned, ""), **earlier})
        # Removals come before downloads: a folder may replace a file.
        await asyncio.to_thread(self._remove, obsolete.values())
        await self._download(missing, targets, downloads, on_progress)
        stamps = {path: (targets[path], file.artifact.sha256) for path, file in owned.items()}
        await asyncio.to_thread(self._finish, stamps)
        return SavedDataset(self._folder, result, len(missing), len(exported) - len(missing), len(obsolete))

    def _inside(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        plain = path == "/".join(parts) and "\\" not in path and "\0" not in path and ":" not in path
        if not parts or not plain or path.startswith("/") or {".", ".."} & set(parts) or parts[0] == MANIFEST:
            raise InvalidArgumentError("files.path", f"{path!r} is not a path within a dataset")
        target = self._folder.joinpath(*parts)
        if not target.parent.resolve().is_relative_to(self._folder.resolve()):
            raise InvalidArgumentError("files.path", f"{path!r} leads out of {self._folder} by a link")
        return target

    def _earlier(self) -> dict[str, str]:
        """Return the paths of the earlier export, each with the stamp of its file when it was written."""
        if not self._manifest.is_file():
            return {}
        try:
            manifest = json.loads(self._manifest.read_text())
            found = str(manifest.get("format", self._format))
            earlier = {str(path): str(stamp) for path, stamp in manifest["files"].items()}
        except (ValueError, KeyError, AttributeError, TypeError):
            raise InvalidArgumentError("folder", f"{self._manifest} is damaged; remove it or the dataset") from None
        if found != self._format:
            raise InvalidArgumentError(
                "folder", f"{self._folder} holds a dataset of the format {found}; name another folder, or remove it"
            )
        return earlier

    def _missing(
        self, exported: Mapping[str, ExportedFile], targets: Mapping[str, Path], earlier: Mapping[str, str]
    ) -> list[ExportedFile]:
        missing = []
        for path, file in exported.items():
            target = targets[path]
            if not target.is_file():
                missing.append(file)
            elif not _is_equal(target, file.artifact.sha256, earlier.get(path, "")):
                if path not in earlier:
                    raise InvalidArgumentError(
                        "folder", f"{target} exists and is not of an earlier export; name another folder, or remove it"
                    )
                missing.append(file)
        return missing

    async def _download(
        self,
        missing: list[ExportedFile],
        targets: Mapping[str, Path],
        downloads: _Downloads,
        on_progress: OnProgress | None,
    ) -> None:
        semaphore, num_done = asyncio.Semaphore(_MAX_CONCURRENT_DOWNLOADS), 0

        async def fetch(file: ExportedFile) -> None:
            nonlocal num_done
            async with semaphore:
                await downloads.download(file.artifact, targets[file.path])
            num_done += 1
            if on_progress:
                on_progress(ProgressEvent("download", num_done, len(missing)))

        fetching = [asyncio.create_task(fetch(file)) for file in missing]
        try:
            await asyncio.gather(*fetching)
        finally:
            for task in fetching:
                task.cancel()

    def _finish(self, files: Mapping[str, tuple[Path, str]]) -> None:
        self._write_manifest({path: _stamp(target, sha256) for path, (target, sha256) in files.items()})

    def _remove(self, obsolete: Iterable[Path]) -> None:
        for target in obsolete:
            target.unlink(missing_ok=True)
            folder = target.parent
            while folder != self._folder and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
                folder = folder.parent

    def _write_manifest(self, files: Mapping[str, str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        incoming = self._manifest.with_name(MANIFEST + ".incoming")
        incoming.write_text(json.dumps({"version": 1, "format": self._format, "files": files}, indent=0))
        incoming.replace(self._manifest)


@contextmanager
def _os_errors_translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        path = error.filename or folder
        if is_disk_full(error):
            raise full_disk_error(str(path), error.strerror or "") from error
        raise InvalidArgumentError("folder", f"{path}: {error.strerror or error}") from error


def _check_no_foreign_files(folder: Path, targets: Iterable[Path], obsolete: Container[Path]) -> None:
    """Check that no foreign file is replaced by a folder, and no folder with foreign files by a file."""
    for target in targets:
        parents = [path for path in target.parents if path.is_relative_to(folder)]
        obstacles = [path for path in parents if path.exists() and not path.is_dir()]
        if target.is_dir():
            obstacles += [path for path in target.rglob("*") if not path.is_dir()]
        for path in obstacles:
            if path not in obsolete:
                raise InvalidArgumentError(
                    "folder", f"{path} exists and is not of an earlier export; name another folder, or remove it"
                )


def _stamp(path: Path, sha256: str) -> str:
    """Return digest, size and time of a file, which show whether it has changed without reading it."""
    status = path.stat()
    return f"{sha256} {status.st_size} {status.st_mtime_ns}"


def _is_equal(path: Path, sha256: str, stamp: str) -> bool:
    if stamp and stamp == _stamp(path, sha256):
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
