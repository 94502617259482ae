"""Checkpoints from a model hub, at one commit.

`huggingface_hub.snapshot_download` lists, downloads, resumes and caches. This module adds which files of a repository a
pipeline reads, that pickles are never fetched, a check of the free disk space, and errors that say what to do.
"""

import io
import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import httpx2
from huggingface_hub import constants, get_cached_repo_tree, get_token, model_info, snapshot_download
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name
from tqdm import tqdm

from lumenmill_common.errors import FailedPreconditionError, LumenmillError, UnavailableError
from lumenmill_common.loopback import exempt_from_proxies
from lumenmill_common.telemetry import get_logger
from lumenmill_neural.source import Checkpoint, CheckpointSource, check_free_space

__all__ = ["LoggedProgress", "files_of_pipeline", "from_hub", "holds_variant"]

_log = get_logger(__name__)
_SETTING = "LUMENMILL_CHECKPOINT"
_INDEX = "model_index.json"
# Every repository of the hub has the second: without a match the library would log a warning.
_FIRST_FILES = (_INDEX, ".gitattributes")
_READ = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "tokenizer/*", "*/tokenizer/*")
# Pickles run code when they are read.
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_REFUSED = (*_PICKLES, "*.msgpack", "*.onnx", "*.py")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# model.fp16.safetensors, model.fp16-00001-of-00002.safetensors, model-00001-of-00002.fp16.safetensors,
# model.safetensors.index.fp16.json
_WEIGHTS_NAME = re.compile(
    r"[^.]+(\.(?P<variant>[^.-]+)(-\d+-of-\d+)?)?\.safetensors(\.index(\.(?P<of_index>[^.]+))?\.json)?"
)
_PROGRESS_INTERVAL_S = 10.0
_GIB = 1 << 30
_ACCESS_STATUSES = (401, 403, 404)
_REVISION_SETTING = "LUMENMILL_CHECKPOINT_REVISION"
_MAIN_BRANCH = "main"
_ANSWER_TIMEOUT_S = 30.0


def from_hub(source: CheckpointSource) -> Checkpoint:
    """Return a checkpoint of the hub; download those of its files that are needed and not in the cache.

    Raises:
        FailedPreconditionError: no commit is named where one is needed, the hub refuses access, the disk is too small,
            or `offline` is set and a file is not in the cache.
        UnavailableError: the hub cannot be reached.
    """
    exempt_from_proxies(constants.ENDPOINT)
    is_offline = source.offline or constants.HF_HUB_OFFLINE
    if source.takes_newest and not source.revision:
        source = replace(source, revision=_newest_commit(source, is_offline))
    if not _COMMIT.fullmatch(source.revision):
        raise FailedPreconditionError(
            f"name the commit of {source.location}, 40 hexadecimal digits; branches and tags move",
            _REVISION_SETTING,
        )
    folder, sizes_bytes = _cached_folder(source), _cached_listing(source)
    if is_offline:
        return Checkpoint(_checked_offline(source, folder, sizes_bytes), source.revision)
    if folder is None or sizes_bytes is None or _missing(source, folder, sizes_bytes):
        folder = _download(source)
    return Checkpoint(folder, source.revision)


def _newest_commit(source: CheckpointSource, is_offline: bool) -> str:
    """Ask the hub for the newest commit of a repository, so that all of its files are loaded from that one.

    If the hub does not answer, return the commit of the newest complete snapshot in the cache.
    """
    if is_offline:
        raise FailedPreconditionError(
            f"no commit of {source.location} is pinned, and the hub may not be asked for the newest; name one that is "
            "in the cache",
            _REVISION_SETTING,
        )
    try:
        with _errors_explained(source):
            commit = str(model_info(source.location, revision=_MAIN_BRANCH, timeout=_ANSWER_TIMEOUT_S).sha)
    except UnavailableError as error:
        cached = _newest_cached_commit(source)
        if cached is None:
            raise
        _log.warning(
            "no commit is pinned and the hub does not answer; the newest in the cache is loaded",
            checkpoint=source.location,
            revision=cached,
            setting=_REVISION_SETTING,
            error=str(error),
        )
        return cached
    _log.warning(
        "no commit is pinned; the newest is loaded, and another start may load another",
        checkpoint=source.location,
        revision=commit,
        setting=_REVISION_SETTING,
    )
    return commit


def _newest_cached_commit(source: CheckpointSource) -> str | None:
    """Return the commit of the snapshot that was begun last, of those whose needed files are all in the cache."""
    name = str(repo_folder_name(repo_id=source.location, repo_type=constants.REPO_TYPE_MODEL))
    snapshots = Path(source.cache_dir or constants.HF_HUB_CACHE).expanduser() / name / "snapshots"
    folders = [folder for folder in snapshots.glob("*") if _COMMIT.fullmatch(folder.name)]
    for folder in sorted(folders, key=lambda each: each.stat().st_mtime, reverse=True):
        sizes_bytes = _cached_listing(replace(source, revision=folder.name))
        if sizes_bytes is not None and not _missing(replace(source, revision=folder.name), folder, sizes_bytes):
            return folder.name
    return None


def _cached_folder(source: CheckpointSource) -> Path | None:
    try:
        return Path(_snapshot_download(source, (), local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _cached_listing(source: CheckpointSource) -> dict[str, int] | None:
    """Return the files of the repository and their sizes in bytes; None before `snapshot_download` has listed them."""
    try:
        tree = get_cached_repo_tree(source.location, revision=source.revision, cache_dir=source.cache_dir)
    except CachedRepoTreeNotFoundError:
        return None
    return {file.path: file.size for file in tree}


def _checked_offline(source: CheckpointSource, folder: Path | None, sizes_bytes: dict[str, int] | None) -> Path:
    if folder is None:
        raise FailedPreconditionError(
            f"{source.location} at {source.revision} is not in the cache, and the hub may not be asked", _SETTING
        )
    if sizes_bytes is None:  # another program filled the cache
        sizes_bytes = {path.relative_to(folder).as_posix(): 0 for path in folder.rglob("*") if path.is_file()}
    missing = _missing(source, folder, sizes_bytes)
    if missing:
        raise FailedPreconditionError(f"{folder / missing[0]} is missing, and the hub may not be asked", _SETTING)
    return folder


def _download(source: CheckpointSource) -> Path:
    with _errors_explained(source):
        folder = Path(_snapshot_download(source, _FIRST_FILES))
        sizes_bytes = _cached_listing(source)
        if sizes_bytes is None:
            raise UnavailableError(
                f"the hub does not answer, and the files of {source.location} are not listed in the cache"
            )
        _log_pickled_parts(source, folder, sizes_bytes)
        missing = _missing(source, folder, sizes_bytes)
        if not missing:
            return folder
        num_bytes = sum(sizes_bytes[name] for name in missing)
        check_free_space(folder, num_bytes, source.location)
        fields = {"checkpoint": source.location, "of_gib": round(num_bytes / _GIB, 2)}
        _log.info("fetching", revision=source.revision, num_files=len(missing), **fields)
        _snapshot_download(source, missing, tqdm_class=partial(LoggedProgress, fields=fields))
    return folder


def _snapshot_download(source: CheckpointSource, files: Sequence[str], **options: Any) -> str:
    return str(
        snapshot_download(
            source.location,
            revision=source.revision,
            cache_dir=source.cache_dir,
            allow_patterns=list(files),
            **options,
        )
    )


@contextmanager
def _errors_explained(source: CheckpointSource) -> Iterator[None]:
    """Raise errors of the library as errors that say what to do."""
    try:
        yield
    except httpx2.TransportError as error:
        raise _unreachable(source, error) from error
    except LocalEntryNotFoundError as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _refusal(source, error.__cause__) from error
        raise _unreachable(source, error) from error
    except HfHubHTTPError as error:
        raise _refusal(source, error) from error


def _unreachable(source: CheckpointSource, error: Exception) -> UnavailableError:
    reason = " ".join(str(error).split())[:300]
    return UnavailableError(f"the hub does not answer, and {source.location} is not in the cache: {reason}")


def _refusal(source: CheckpointSource, error: HfHubHTTPError) -> LumenmillError:
    """Return an error that says what to do about a refusal of the hub."""
    status = error.response.status_code if error.response is not None else 0
    if status not in _ACCESS_STATUSES:
        return UnavailableError(f"the hub does not answer: {error}")
    if isinstance(error, RevisionNotFoundError):
        problem = f"the hub's {source.location} has no commit {source.revision}"
    elif get_token() is None:
        problem = f"the hub has no {source.location} for everybody: accept its terms there and set HF_TOKEN"
    elif isinstance(error, GatedRepoError):
        problem = f"accept the terms of {source.location} on the hub, with the account whose token HF_TOKEN is"
    else:
        problem = f"the hub has no {source.location} for the account whose token HF_TOKEN is"
    return FailedPreconditionError(problem, _SETTING)


class LoggedProgress(tqdm):  # type: ignore[misc]
    """Logs every ten seconds how much was downloaded, instead of drawing a progress bar."""

    def __init__(self, *args: Any, fields: dict[str, Any], **options: Any) -> None:
        self._fields, self._logged_at_s = fields, time.monotonic()
        super().__init__(*args, **options | {"file": io.StringIO(), "mininterval": _PROGRESS_INTERVAL_S})

    def display(self, *args: Any, **options: Any) -> None:
        """Log the size of the files so far; the library has other bars, of transferred bytes and of files, besides."""
        now_s = time.monotonic()
        if self.desc.startswith("Reconstructing") and now_s - self._logged_at_s >= _PROGRESS_INTERVAL_S:
            self._logged_at_s = now_s
            _log.info("fetching", gib=round(self.n / _GIB, 2), **self._fields)


# Which files of a repository are needed. Many repositories hold all weights twice.


def _missing(source: CheckpointSource, folder: Path, repository: Iterable[str]) -> list[str]:
    """Return those of the repository's files that are needed and not in the folder."""
    names = [name for name in repository if not _matches(name, _REFUSED)]
    if source.files:
        _check_files(source, names)
        names = [name for name in names if _matches(name, source.files)]
    elif _INDEX in names:
        index = folder / _INDEX
        names = files_of_pipeline(names, _parts(index), source.variant) if index.is_file() else [_INDEX]
    else:
        names = [name for name in names if _matches(name, _READ)]
    return [name for name in names if not (folder / name).is_file()]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _check_files(source: CheckpointSource, names: Iterable[str]) -> None:
    unmatched = [pattern for pattern in source.files if not any(fnmatch(name, pattern) for name in names)]
    if unmatched:
        raise FailedPreconditionError(f"{source.location} at {source.revision} has no {unmatched[0]}", _SETTING)


def _parts(index: Path) -> set[str]:
    """Return the parts that the index of a pipeline names; a part that is left out has the value null."""
    named = json.loads(index.read_text(encoding="utf-8")).items()
    return {name for name, value in named if isinstance(value, list) and len(value) == 2 and value[0] is not None}


def _log_pickled_parts(source: CheckpointSource, folder: Path, repository: Iterable[str]) -> None:
    """Log the parts of which the repository has only pickles: a pipeline that needs one of them will not load."""
    index = folder / _INDEX
    if source.files or not index.is_file():
        return
    names = list(repository)
    read, pickled = (
        {name.partition("/")[0] for name in names if _matches(name, kind)} for kind in (("*.safetensors",), _PICKLES)
    )
    parts = sorted(_parts(index) & (pickled - read))
    if parts:
        _log.warning("parts with pickles only are not read", checkpoint=source.location, parts=parts)


def files_of_pipeline(names: Iterable[str], parts: Set[str], variant: str) -> list[str]:
    """Return those of a repository's files that a pipeline of these parts reads: weights of the variant where a part
    has it, else those without a variant."""
    needed: list[str] = []
    by_part: dict[str, list[str]] = {part: [] for part in sorted(parts)}
    for name in names:
        part, slash, _ = name.partition("/")
        if slash and part in by_part and _matches(name, _READ):
            by_part[part].append(name)
    for files in by_part.values():
        has_variant = any(_variant_of(name) == variant for name in files)
        chosen = variant if has_variant else ""
        needed += [name for name in files if _variant_of(name) in {None, chosen}]
    return [_INDEX, *needed]


def holds_variant(folder: Path, variant: str) -> bool:
    """Whether a folder holds weights of a variant; the library raises if it is asked for one that does not exist."""
    return any(_variant_of(path.name) == variant for path in folder.rglob("*.safetensors"))


def _variant_of(name: str) -> str | None:
    """Return `fp16` for `model.fp16.safetensors` and its index, "" for `model.safetensors`, None for other files."""
    found = _WEIGHTS_NAME.fullmatch(PurePosixPath(name).name)
    return None if found is None else found["variant"] or found["of_index"] or ""
