"""Checkpoints from a hub, a folder or the artifact store, and the check that they are complete.

A checkpoint in the store is a list of its files (`CHECKPOINT_MEDIA_TYPE`), each an artifact of its own;
`python -m lumenmill_neural.checkpoint FOLDER` stores a folder and prints `artifact:<sha256>`.
"""

import hashlib
import json
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.errors import DataLossError, FailedPreconditionError, LumenmillError, NotFoundError
from lumenmill_common.settings import StoreSettings, load_settings
from lumenmill_common.telemetry import get_logger
from lumenmill_neural.hub import from_hub
from lumenmill_neural.source import Checkpoint, CheckpointSource, check_free_space, own_cache

__all__ = ["CHECKPOINT_MEDIA_TYPE", "check_complete", "check_weights", "find_checkpoint", "put_checkpoint"]

CHECKPOINT_MEDIA_TYPE = "application/vnd.lumenmill.checkpoint+json"
_WEIGHTS_MEDIA_TYPE = "application/vnd.safetensors"
_FILE_MEDIA_TYPE = "application/vnd.lumenmill.checkpoint-file"
_SETTING = "LUMENMILL_CHECKPOINT"
_log = get_logger(__name__)
# The digest of a folder covers the head and this many pieces of each large file: hashing 30 GB takes minutes.
_HEAD_BYTES, _NUM_PIECES, _PIECE_BYTES = 1 << 20, 256, 1 << 16
_MAX_HEADER_BYTES = 100 << 20
_MAX_LIST_BYTES = 16 << 20


def find_checkpoint(source: CheckpointSource, store: ArtifactStore) -> Checkpoint:
    """Return a checkpoint on this machine's disk, fetched if necessary, after checking that it is complete.

    Raises:
        FailedPreconditionError: it is missing, has no pinned revision, or a file of it is damaged; names the file.
        UnavailableError: the hub cannot be reached.
    """
    if source.location.startswith("artifact:"):
        found = _from_store(source, store)
    elif Path(source.location).expanduser().is_dir():
        folder = Path(source.location).expanduser().resolve()
        found = Checkpoint(folder, f"sha256:{_digest(folder)[:32]}")
    elif source.location.startswith((".", "/", "~")):
        raise FailedPreconditionError(f"there is no folder {source.location}", _SETTING)
    else:
        found = from_hub(source)
    check_complete(found.folder)
    return found


# The artifact store.


def _from_store(source: CheckpointSource, store: ArtifactStore) -> Checkpoint:
    sha256 = source.location.removeprefix("artifact:")
    folder = own_cache(source.cache_dir) / "checkpoints" / sha256
    artifact = store.stat(sha256)
    if artifact is None:
        raise FailedPreconditionError(f"the store has no {source.location}", _SETTING)
    files = _listed(store.read_bytes(artifact, max_bytes=_MAX_LIST_BYTES), source.location)
    missing = {path: entry for path, entry in files.items() if not _is_copied(folder / path, entry["size_bytes"])}
    check_free_space(folder, sum(entry["size_bytes"] for entry in missing.values()), source.location)
    for number, (path, entry) in enumerate(missing.items(), start=1):
        _copy(store, entry, folder / path)
        _log.info("copied a file of the checkpoint", path=path, number=number, num_files=len(missing))
    return Checkpoint(folder, f"sha256:{sha256}")


def _is_copied(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes


def _copy(store: ArtifactStore, entry: dict[str, Any], target: Path) -> None:
    stored = Artifact(uri=store.uri_for(entry["sha256"], entry["media_type"]), sha256=entry["sha256"])
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # A unique name: pods share caches, and each is process 1 of its container.
        with tempfile.TemporaryDirectory(dir=target.parent, suffix=".part") as folder:
            partial = Path(folder) / "partial"  # without a suffix that `check_complete` looks for
            with partial.open("wb") as file:
                file.writelines(store.iter_chunks(stored, field=target.name))
            partial.replace(target)
    except (NotFoundError, DataLossError) as error:
        raise FailedPreconditionError(f"{target} cannot be had: {error.message}", _SETTING) from error


def _listed(data: bytes, location: str) -> dict[str, dict[str, Any]]:
    try:
        files: dict[str, dict[str, Any]] = json.loads(data)["files"]
        for path, entry in files.items():
            pure = PurePosixPath(path)
            if pure.is_absolute() or ".." in pure.parts:
                raise ValueError(f"{path} lies outside of its folder")
            if not {"sha256", "size_bytes", "media_type"} <= entry.keys():
                raise ValueError(f"{path} lacks its digest, size or media type")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FailedPreconditionError(f"{location} is no checkpoint: {error}", _SETTING) from error
    return files


def put_checkpoint(store: ArtifactStore, folder: Path) -> Artifact:
    """Store the files of a folder and a list of them; return the list.

    Raises:
        FailedPreconditionError: a file of it is damaged; names the file.
    """
    check_complete(folder)
    files = {}
    for path in _files(folder):
        artifact = store.put_file(path, _WEIGHTS_MEDIA_TYPE if path.suffix == ".safetensors" else _FILE_MEDIA_TYPE)
        files[path.relative_to(folder).as_posix()] = {
            "sha256": artifact.sha256,
            "size_bytes": artifact.size_bytes,
            "media_type": artifact.media_type,
        }
    return store.put_bytes(json.dumps({"files": files}, sort_keys=True).encode(), CHECKPOINT_MEDIA_TYPE)


# Completeness.


def check_complete(folder: Path) -> None:
    """Check that every file that a checkpoint refers to exists, that weights have the length in their header, and that
    JSON files can be read.

    Raises:
        FailedPreconditionError: a file is missing or damaged; names the file.
    """
    files = _files(folder)
    if not any(path.suffix == ".safetensors" for path in files):
        raise FailedPreconditionError(f"{folder} holds no .safetensors weights", _SETTING)
    for path in files:
        if path.suffix == ".safetensors":
            check_weights(path)
        elif path.suffix == ".json":
            _check_json(path)


def _check_json(path: Path) -> None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise FailedPreconditionError(f"{path} is damaged: {error}", _SETTING) from error
    if ".safetensors.index." in path.name:  # a variant has its name after it: .index.fp16.json
        _check_shards(path, sorted({path.parent / shard for shard in value.get("weight_map", {}).values()}))


def _check_shards(index: Path, shards: list[Path]) -> None:
    """Check that all shards exist; or that none does and the folder holds other weights, those of another variant."""
    missing = [shard for shard in shards if not shard.is_file()]
    if missing and (len(missing) < len(shards) or not list(index.parent.glob("*.safetensors"))):
        raise FailedPreconditionError(f"{missing[0]} is missing; {index.name} names it", _SETTING)


def check_weights(path: Path) -> None:
    """Check that a safetensors file has the length that its header states.

    Raises:
        FailedPreconditionError: it has not; names the file.
    """
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
        raise FailedPreconditionError(f"{path} is damaged: {error}", _SETTING) from error


def _files(folder: Path) -> list[Path]:
    """Return all files of a folder, without the hub library's own metadata."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if ".cache" not in path.relative_to(folder).parts)


def _digest(folder: Path) -> str:
    """Return a digest of the names, sizes and sampled bytes of all files."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        for part in _sampled(path):
            digest.update(part)
    return digest.hexdigest()


def _sampled(path: Path) -> Iterator[bytes]:
    """Yield all bytes of a small file; of a large one its head, with the header, and pieces spread evenly over the
    rest."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        yield file.read(_HEAD_BYTES)
        if size_bytes <= _HEAD_BYTES + _NUM_PIECES * _PIECE_BYTES:
            yield file.read()
            return
        for number in range(_NUM_PIECES):
            file.seek(_HEAD_BYTES + (size_bytes - _HEAD_BYTES - _PIECE_BYTES) * number // (_NUM_PIECES - 1))
            yield file.read(_PIECE_BYTES)


def main() -> None:
    """Store a folder and print its name in the store."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise SystemExit("usage: python -m lumenmill_neural.checkpoint FOLDER  (the store is LUMENMILL_STORE_URL)")
    try:
        artifact = put_checkpoint(open_store_from(load_settings(StoreSettings)), Path(sys.argv[1]))
    except LumenmillError as error:
        raise SystemExit(error.message) from None
    print(f"artifact:{artifact.sha256}")  # noqa: T201 - the output of the command


if __name__ == "__main__":
    main()
