"""A dataset in a folder of this machine, kept equal to an export: only what differs is written."""

import asyncio
import errno
import hashlib
import json
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.orchestrator.v1.run_pb2 import ExportedFile, ExportResult
from lumenmill_common.errors import InvalidArgumentError, ResourceExhaustedError

from lumenmill_client._events import OnProgress, ProgressEvent

__all__ = ["MANIFEST", "DatasetFolder", "SavedDataset"]

MANIFEST = ".lumenmill-export.json"
_NUM_DOWNLOADS_AT_ONCE = 8


class _Downloads(Protocol):
    async def download(self, artifact: Artifact | str, path: str | Path) -> Path: ...


@dataclass(frozen=True)
class SavedDataset:
    """An export that lies in a folder."""

    folder: Path
    result: ExportResult
    """What the export holds and what was left out."""
    num_written: int
    """Files that were not in the folder, or differed."""
    num_kept: int
    """Files that were there already, whoever put them there."""
    num_removed: int
    """Files of an earlier export into this folder that are no longer part of it."""


class DatasetFolder:
    """One folder. Its manifest names the files that exports have put there; no others are touched.

    A file of somebody else that equals one of the export does for it, and stays theirs.
    """

    def __init__(self, folder: str | Path, form: str) -> None:
        """`form` names the form of the dataset; a folder holds one of one form."""
        self._folder, self._form = Path(folder), form
        self._manifest = self._folder / MANIFEST

    async def save(
        self, result: ExportResult, downloads: _Downloads, on_progress: OnProgress | None = None
    ) -> SavedDataset:
        """Make the folder equal to an export.

        Raises:
            InvalidArgumentError: a path leads out of the folder, the folder cannot be written, it holds a dataset of
                another form, or what is in the way is of no earlier export.
            ResourceExhaustedError: the disk is full.
        """
        with _os_errors_named(self._folder):
            return await self._save(result, downloads, on_progress)

    async def _save(self, result: ExportResult, downloads: _Downloads, on_progress: OnProgress | None) -> SavedDataset:
        wanted = {file.path: file for file in result.files}
        targets = {path: self._inside(path) for path in wanted}
        known = await asyncio.to_thread(self._known)
        gone = {path: self._inside(path) for path in known if path not in wanted}
        await asyncio.to_thread(_refuse_obstacles, self._folder, targets.values(), frozenset(gone.values()))
        missing = await asyncio.to_thread(self._missing, wanted, targets, known)
        written = {file.path for file in missing}
        ours = {path: file for path, file in wanted.items() if path in known or path in written}
        # Named before it is written: an export that breaks off can be taken up.
        await asyncio.to_thread(self._name, {**dict.fromkeys(ours, ""), **known})
        # Before others come: a folder may come where a file was.
        await asyncio.to_thread(self._remove, gone.values())
        await self._download(missing, targets, downloads, on_progress)
        marks = {path: (targets[path], file.artifact.sha256) for path, file in ours.items()}
        await asyncio.to_thread(self._finish, marks)
        return SavedDataset(self._folder, result, len(missing), len(wanted) - len(missing), len(gone))

    def _inside(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        plain = path == "/".join(parts) and "\\" not in path and "\0" not in path and ":" not in path
        if not parts or not plain or path.startswith("/") or {".", ".."} & set(parts) or parts[0] == MANIFEST:
            raise InvalidArgumentError("files.path", f"{path!r} is no path within a dataset")
        target = self._folder.joinpath(*parts)
        if not target.parent.resolve().is_relative_to(self._folder.resolve()):
            raise InvalidArgumentError("files.path", f"{path!r} leads out of {self._folder} by a link")
        return target

    def _known(self) -> dict[str, str]:
        """Paths of earlier exports, each with the mark that its file had when it was written."""
        if not self._manifest.is_file():
            return {}
        try:
            manifest = json.loads(self._manifest.read_text())
            form = str(manifest.get("form", self._form))
            known = {str(path): str(mark) for path, mark in manifest["files"].items()}
        except (ValueError, KeyError, AttributeError, TypeError):
            raise InvalidArgumentError("folder", f"{self._manifest} is damaged; remove it or the dataset") from None
        if form != self._form:
            raise InvalidArgumentError(
                "folder", f"{self._folder} holds a dataset of the form {form}; name another folder, or remove it"
            )
        return known

    def _missing(
        self, wanted: Mapping[str, ExportedFile], targets: Mapping[str, Path], known: Mapping[str, str]
    ) -> list[ExportedFile]:
        missing = []
        for path, file in wanted.items():
            target = targets[path]
            if not target.is_file():
                missing.append(file)
            elif not _is_there(target, file.artifact.sha256, known.get(path, "")):
                if path not in known:
                    raise InvalidArgumentError(
                        "folder", f"{target} is in the way and of no earlier export; name another folder, or remove it"
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
        gate, num_done = asyncio.Semaphore(_NUM_DOWNLOADS_AT_ONCE), 0

        async def fetch(file: ExportedFile) -> None:
            nonlocal num_done
            async with gate:
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
        self._name({path: _mark(target, sha256) for path, (target, sha256) in files.items()})

    def _remove(self, gone: Iterable[Path]) -> None:
        for target in gone:
            target.unlink(missing_ok=True)
            folder = target.parent
            while folder != self._folder and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
                folder = folder.parent

    def _name(self, files: Mapping[str, str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        incoming = self._manifest.with_name(MANIFEST + ".incoming")
        incoming.write_text(json.dumps({"version": 1, "form": self._form, "files": files}, indent=0))
        incoming.replace(self._manifest)


@contextmanager
def _os_errors_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceExhaustedError(f"no space left for {place}") from error
        raise InvalidArgumentError("folder", f"{place}: {error.strerror or error}") from error


def _refuse_obstacles(folder: Path, targets: Iterable[Path], gone: Container[Path]) -> None:
    """Refuse files where folders must come, and folders where files must, unless what is there will be gone."""
    for target in targets:
        inner = [place for place in target.parents if place.is_relative_to(folder)]
        there = [place for place in inner if place.exists() and not place.is_dir()]
        if target.is_dir():
            there += [place for place in target.rglob("*") if not place.is_dir()]
        for place in there:
            if place not in gone:
                raise InvalidArgumentError(
                    "folder", f"{place} is in the way and of no earlier export; name another folder, or remove it"
                )


def _mark(path: Path, sha256: str) -> str:
    """What tells that a file is still the one that was written, without reading it."""
    status = path.stat()
    return f"{sha256} {status.st_size} {status.st_mtime_ns}"


def _is_there(path: Path, sha256: str, mark: str) -> bool:
    if mark and mark == _mark(path, sha256):
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
