"""Where weights come from, and whether they are whole: a hub id at a pinned commit, a folder, or the artifact store.

A checkpoint in the store is a list of its files (`CHECKPOINT_MEDIA_TYPE`), each an artifact of its own;
`python -m lumenmill_neural.checkpoint FOLDER` puts a folder there and prints `artifact:<sha256>`.
"""

import hashlib
import json
import os
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.errors import FailedPreconditionError, LumenmillError, UnavailableError
from lumenmill_common.settings import StoreSettings, load_settings
from lumenmill_common.telemetry import get_logger

__all__ = [
    "CHECKPOINT_MEDIA_TYPE",
    "Checkpoint",
    "CheckpointSource",
    "check_weights",
    "find_checkpoint",
    "put_checkpoint",
]

CHECKPOINT_MEDIA_TYPE = "application/vnd.lumenmill.checkpoint+json"
_log = get_logger(__name__)
# Never pickles: they run code when they are read.
_WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "tokenizer/*", "*/tokenizer/*")
_REFUSED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.onnx", "*.py")
# Folders are told apart by this much of the head and tail of each large file: hashing 30 GB takes minutes.
_SAMPLED_BYTES = 1 << 20
_MAX_HEADER_BYTES = 100 << 20
_MAX_LIST_BYTES = 16 << 20


@dataclass(frozen=True)
class CheckpointSource:
    """What to load: `location` is a hub id, a folder, or `artifact:<sha256>`; `revision` is the hub commit."""

    location: str
    revision: str = ""
    offline: bool = False
    cache_dir: Path | None = None
    subfolder: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on this machine's disk."""

    folder: Path
    revision: str
    """Commit, or a digest of the files: part of every content key."""


def find_checkpoint(
    source: CheckpointSource, store: ArtifactStore, tell: Callable[[int, int], None] | None = None
) -> Checkpoint:
    """Brings a checkpoint to this machine and makes sure that it is whole. `tell` is given files done and files in all.

    Raises:
        FailedPreconditionError: it is missing, has no pinned revision, or a file of it is damaged; names the file.
        UnavailableError: the hub cannot be reached.
    """
    if source.location.startswith("artifact:"):
        found = _from_store(source, store, tell or _say)
    elif Path(source.location).expanduser().is_dir():
        folder = Path(source.location).expanduser().resolve()
        found = Checkpoint(folder, f"sha256:{_digest(folder)[:32]}")
    elif source.location.startswith((".", "/", "~")):
        raise FailedPreconditionError(f"there is no folder {source.location}", "LUMENMILL_CHECKPOINT")
    else:
        found = _from_hub(source)
    check_whole(found.folder)
    return found


def _say(done: int, total: int) -> None:
    _log.info("checkpoint", num_files_done=done, num_files=total)


def _from_hub(source: CheckpointSource) -> Checkpoint:
    if not source.revision:
        raise FailedPreconditionError(
            f"name the commit of {source.location} that is meant; branches move", "LUMENMILL_CHECKPOINT_REVISION"
        )
    try:
        folder = snapshot_download(
            source.location,
            revision=source.revision,
            cache_dir=source.cache_dir,
            local_files_only=source.offline,
            allow_patterns=list(_WANTED),
            ignore_patterns=list(_REFUSED),
        )
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise FailedPreconditionError(
            f"{source.location} at {source.revision} is not in the cache, and the hub is not asked or does not answer",
            "LUMENMILL_CHECKPOINT",
        ) from error
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in {401, 403, 404}:
            raise FailedPreconditionError(
                f"the hub has no {source.location} at {source.revision} for you: accept its terms and set HF_TOKEN",
                "LUMENMILL_CHECKPOINT",
            ) from error
        raise UnavailableError(f"the hub does not answer: {error}") from error
    return Checkpoint(Path(folder), source.revision)


def _from_store(source: CheckpointSource, store: ArtifactStore, tell: Callable[[int, int], None]) -> Checkpoint:
    sha256 = source.location.removeprefix("artifact:")
    cache = (source.cache_dir or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()) / "lumenmill"
    folder = cache / "checkpoints" / sha256
    artifact = store.stat(sha256)
    if artifact is None:
        raise FailedPreconditionError(f"the store has no {source.location}", "LUMENMILL_CHECKPOINT")
    files = _listed(store.read_bytes(artifact, max_bytes=_MAX_LIST_BYTES), source.location)
    for done, (path, entry) in enumerate(files.items()):
        target = folder / path
        if not target.is_file() or target.stat().st_size != entry["size_bytes"]:
            target.parent.mkdir(parents=True, exist_ok=True)
            stored = Artifact(uri=store.uri_for(entry["sha256"], entry["media_type"]), sha256=entry["sha256"])
            with store.local_file(stored, field=path) as source_path:
                partial = target.with_name(f"{target.name}.{os.getpid()}.part")
                shutil.copyfile(source_path, partial)
                partial.replace(target)
        tell(done + 1, len(files))
    return Checkpoint(folder, f"sha256:{sha256}")


def _listed(data: bytes, location: str) -> dict[str, dict[str, Any]]:
    try:
        files: dict[str, dict[str, Any]] = json.loads(data)["files"]
        for path in files:
            pure = PurePosixPath(path)
            if pure.is_absolute() or ".." in pure.parts:
                raise ValueError(f"{path} lies outside of it")
    except (ValueError, KeyError, TypeError) as error:
        raise FailedPreconditionError(f"{location} is no checkpoint: {error}", "LUMENMILL_CHECKPOINT") from error
    return files


def put_checkpoint(store: ArtifactStore, folder: Path) -> Artifact:
    """Puts the files of a folder into the store, and a list of them, which is what is returned.

    Raises:
        FailedPreconditionError: a file of it is damaged; names the file.
    """
    check_whole(folder)
    files = {}
    for path in _files(folder):
        artifact = store.put_file(path, "application/json" if path.suffix == ".json" else "application/octet-stream")
        files[path.relative_to(folder).as_posix()] = {
            "sha256": artifact.sha256,
            "size_bytes": artifact.size_bytes,
            "media_type": artifact.media_type,
        }
    return store.put_bytes(json.dumps({"files": files}, sort_keys=True).encode(), CHECKPOINT_MEDIA_TYPE)


def check_whole(folder: Path) -> None:
    """Looks whether every file that a checkpoint speaks of is there and as long as it says.

    Raises:
        FailedPreconditionError: one is not; names the file.
    """
    files = _files(folder)
    if not any(path.suffix == ".safetensors" for path in files):
        raise FailedPreconditionError(f"{folder} holds no .safetensors weights", "LUMENMILL_CHECKPOINT")
    for path in files:
        if path.suffix == ".safetensors":
            check_weights(path)
        elif path.suffix == ".json":
            _check_json(path)


def _check_json(path: Path) -> None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise FailedPreconditionError(f"{path} is damaged: {error}", "LUMENMILL_CHECKPOINT") from error
    if path.name.endswith(".safetensors.index.json"):
        for shard in sorted(set(value.get("weight_map", {}).values())):
            if not (path.parent / shard).is_file():
                raise FailedPreconditionError(f"{path.parent / shard} is missing", "LUMENMILL_CHECKPOINT")


def check_weights(path: Path) -> None:
    """The length that the header of a safetensors file promises is the file's."""
    try:
        with path.open("rb") as file:
            (header_bytes,) = struct.unpack("<Q", file.read(8))
            if header_bytes > _MAX_HEADER_BYTES:
                raise ValueError("its header is too long")
            header = json.loads(file.read(header_bytes))
        end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
        expected, found = 8 + header_bytes + end, path.stat().st_size
        if expected != found:
            raise ValueError(f"it has {found} bytes and should have {expected}")
    except (ValueError, KeyError, TypeError, struct.error, OSError) as error:
        raise FailedPreconditionError(f"{path} is damaged: {error}", "LUMENMILL_CHECKPOINT") from error


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts)


def _digest(folder: Path) -> str:
    """Of names, sizes and sampled bytes of all files."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        for part in _sampled(path):
            digest.update(part)
    return digest.hexdigest()


def _sampled(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield file.read(_SAMPLED_BYTES)
        if path.stat().st_size > 2 * _SAMPLED_BYTES:
            file.seek(-_SAMPLED_BYTES, os.SEEK_END)
        yield file.read()


def main() -> None:
    """Put a folder into the store and print how to name it."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise SystemExit("usage: python -m lumenmill_neural.checkpoint FOLDER  (the store is LUMENMILL_STORE_URL)")
    try:
        artifact = put_checkpoint(open_store_from(load_settings(StoreSettings)), Path(sys.argv[1]))
    except LumenmillError as error:
        raise SystemExit(error.message) from None
    print(f"artifact:{artifact.sha256}")  # noqa: T201 - it is what was asked for


if __name__ == "__main__":
    main()
