"""Checkpoints of a hub of models, at a pinned commit. What was brought is written down, so that nobody asks again."""

import hashlib
import json
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import httpx2
from huggingface_hub import HfApi, RepoFile, constants, get_token, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name
from lumenmill_common.errors import FailedPreconditionError, LumenmillError, UnavailableError
from lumenmill_common.telemetry import get_logger

from lumenmill_neural.source import Checkpoint, CheckpointSource, check_room, own_cache

__all__ = ["files_of_pipeline", "from_hub", "holds_variant"]

_log = get_logger(__name__)
_SETTING = "LUMENMILL_CHECKPOINT"
# Never pickles: they run code when they are read.
_WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "tokenizer/*", "*/tokenizer/*")
_REFUSED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.onnx", "*.py")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_INDEX = "model_index.json"
# model.fp16.safetensors, model.fp16-00001-of-00002.safetensors, model-00001-of-00002.fp16.safetensors,
# model.safetensors.index.fp16.json
_WEIGHTS_NAME = re.compile(
    r"[^.]+(\.(?P<variant>[^.-]+)(-\d+-of-\d+)?)?\.safetensors(\.index(\.(?P<of_index>[^.]+))?\.json)?"
)
_PROGRESS_INTERVAL_S = 10.0
_GIB = 1 << 30
_ACCESS_STATUSES = (401, 403, 404)


def from_hub(source: CheckpointSource) -> Checkpoint:
    """Brings those files of a repository that are meant, where they are not in the cache already.

    Raises:
        FailedPreconditionError: no commit is named, the hub refuses, or there is no room; or it is not in the cache,
            and the hub is not asked.
        UnavailableError: the hub cannot be reached.
    """
    if not _COMMIT.fullmatch(source.revision):
        raise FailedPreconditionError(
            f"name the commit of {source.location} that is meant, 40 hexadecimal digits; branches and tags move",
            "LUMENMILL_CHECKPOINT_REVISION",
        )
    folder = _repository(source) / "snapshots" / source.revision
    lacking = _lacking(source, folder)
    if lacking != []:
        if source.offline or constants.HF_HUB_OFFLINE:
            _check_cached(source, folder, lacking)
        else:
            _bring(source, folder)
    return Checkpoint(folder, source.revision)


def _repository(source: CheckpointSource) -> Path:
    cache = Path(source.cache_dir or constants.HF_HUB_CACHE).expanduser().resolve()
    return cache / str(repo_folder_name(repo_id=source.location, repo_type="model"))


def _bring(source: CheckpointSource, folder: Path) -> None:
    try:
        sizes = _wanted(source)
        missing = [name for name in sizes if not _is_there(folder / name, sizes[name])]
        num_bytes = sum(sizes[name] for name in missing)
        check_room(_repository(source), num_bytes, source.location)
        with _telling(source, len(missing), num_bytes):
            snapshot_download(
                source.location, revision=source.revision, cache_dir=source.cache_dir, allow_patterns=sorted(sizes)
            )
    except httpx2.TransportError as error:
        raise _unreachable(source, error) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _refusal(source, error.__cause__) from error
        raise _unreachable(source, error) from error
    except HfHubHTTPError as error:
        raise _refusal(source, error) from error
    _write_down(source, sizes)


def _unreachable(source: CheckpointSource, error: Exception) -> UnavailableError:
    reason = " ".join(str(error).split())[:300]
    return UnavailableError(f"the hub does not answer, and {source.location} was not brought before: {reason}")


def _refusal(source: CheckpointSource, error: HfHubHTTPError) -> LumenmillError:
    """What to do about an answer of the hub."""
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


@contextmanager
def _telling(source: CheckpointSource, num_files: int, num_bytes: int) -> Iterator[None]:
    """Tells now and then how much has come."""
    blobs, ended = _repository(source) / "blobs", threading.Event()
    before_bytes = _size_bytes(blobs)

    def tell() -> None:
        while not ended.wait(_PROGRESS_INTERVAL_S):
            come_gib = (_size_bytes(blobs) - before_bytes) / _GIB
            _log.info("fetching", checkpoint=source.location, gib=round(come_gib, 2), of_gib=of_gib)

    of_gib = round(num_bytes / _GIB, 2)
    _log.info("fetching", checkpoint=source.location, revision=source.revision, num_files=num_files, of_gib=of_gib)
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # it was renamed: it is whole now
            continue
    return total


def _wanted(source: CheckpointSource) -> dict[str, int]:
    """Files that are needed, and their sizes in bytes: of a pipeline only its parts, since many repositories hold all
    weights twice."""
    entries = HfApi().list_repo_tree(source.location, revision=source.revision, recursive=True)
    sizes = {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}
    names = [name for name in sizes if not _matches(name, _REFUSED)]
    if source.files:
        _check_files(source, names)
        wanted = [name for name in names if _matches(name, source.files)]
    elif _INDEX in sizes:
        index = hf_hub_download(source.location, _INDEX, revision=source.revision, cache_dir=source.cache_dir)
        wanted = files_of_pipeline(names, _parts(Path(index)), source.variant)
    else:
        wanted = [name for name in names if _matches(name, _WANTED)]
    return {name: sizes[name] for name in wanted}


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _check_files(source: CheckpointSource, names: Iterable[str]) -> None:
    lacking = [pattern for pattern in source.files if not any(fnmatch(name, pattern) for name in names)]
    if lacking:
        raise FailedPreconditionError(f"{source.location} at {source.revision} has no {lacking[0]}", _SETTING)


def _parts(index: Path) -> set[str]:
    """Parts that the index of a pipeline names; those that are left out stand there as nothing."""
    named = json.loads(index.read_text(encoding="utf-8")).items()
    return {name for name, value in named if isinstance(value, list) and len(value) == 2 and value[0] is not None}


def files_of_pipeline(names: Iterable[str], parts: Set[str], variant: str) -> list[str]:
    """Those of a repository's files that a pipeline of these parts reads: weights of the variant where a part has it,
    else the plain ones."""
    needed: list[str] = []
    by_part: dict[str, list[str]] = {part: [] for part in sorted(parts)}
    for name in names:
        part, slash, _ = name.partition("/")
        if slash and part in by_part and _matches(name, _WANTED):
            by_part[part].append(name)
    for files in by_part.values():
        has_variant = any(_variant_of(name) == variant for name in files)
        wanted = variant if has_variant else ""
        needed += [name for name in files if _variant_of(name) in {None, wanted}]
    return [_INDEX, *needed]


def holds_variant(folder: Path, variant: str) -> bool:
    """Whether some weights in a folder are of a variant; the library refuses to look for what is not there."""
    return any(_variant_of(path.name) == variant for path in folder.rglob("*.safetensors"))


def _variant_of(name: str) -> str | None:
    """`fp16` of `model.fp16.safetensors` and its index, nothing of `model.safetensors`, None of what is no weights."""
    found = _WEIGHTS_NAME.fullmatch(PurePosixPath(name).name)
    return None if found is None else found["variant"] or found["of_index"] or ""


# What was brought: names and sizes, beside the library's cache. The library itself can only tell whether a repository
# is there with all that it holds, and of most we want a part.


def _list_file(source: CheckpointSource) -> Path:
    meant = json.dumps([source.location, source.revision, source.files, source.variant])
    return own_cache(source.cache_dir) / "brought" / f"{hashlib.sha256(meant.encode()).hexdigest()}.json"


def _write_down(source: CheckpointSource, sizes: Mapping[str, int]) -> None:
    path = _list_file(source)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as partial:
        json.dump({"checkpoint": source.location, "revision": source.revision, "files": dict(sizes)}, partial)
    Path(partial.name).replace(path)


def _lacking(source: CheckpointSource, folder: Path) -> list[str] | None:
    """Files of what was brought that are gone, or of another size; None where nothing was written down."""
    try:
        files = json.loads(_list_file(source).read_text(encoding="utf-8"))["files"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return [name for name, num_bytes in files if not _is_there(folder / name, num_bytes)]


def _is_there(path: Path, num_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == num_bytes


def _check_cached(source: CheckpointSource, folder: Path, lacking: list[str] | None) -> None:
    """Looks through what is in the cache; what others brought only as far as can be told without the hub."""
    if not folder.is_dir():
        raise FailedPreconditionError(
            f"{source.location} at {source.revision} is not in the cache, and the hub is not asked", _SETTING
        )
    if lacking:
        raise FailedPreconditionError(f"{folder / lacking[0]} is missing, and the hub is not asked", _SETTING)
    _check_files(source, [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()])
    index = folder / _INDEX
    if not source.files and index.is_file():
        away = sorted(part for part in _parts(index) if not (folder / part).is_dir())
        if away:
            raise FailedPreconditionError(f"{folder / away[0]} is missing; {_INDEX} names it", _SETTING)
