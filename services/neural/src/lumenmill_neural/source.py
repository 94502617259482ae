"""Where a checkpoint comes from, and where it lies on this machine."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lumenmill_common.errors import FailedPreconditionError

__all__ = ["Checkpoint", "CheckpointSource", "check_free_space", "own_cache", "source_at"]

_GIB = 1 << 30


@dataclass(frozen=True)
class CheckpointSource:
    """What to load: `location` is a hub id, a folder, or `artifact:<sha256>`; `revision` is the hub commit."""

    location: str
    revision: str = ""
    offline: bool = False
    cache_dir: Path | None = None
    files: tuple[str, ...] = ()
    """Patterns of the files to load from a hub repository; empty: all that a pipeline could read."""
    variant: str = ""
    """Which weights to load from a hub repository that holds several, `fp16` for example."""
    takes_newest: bool = False
    """Whether an empty revision stands for the newest commit of the hub repository."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on this machine's disk."""

    folder: Path
    revision: str
    """Commit, or a digest of the files: part of every content key."""


def source_at(location: str, offline: bool, cache_dir: Path | None, files: tuple[str, ...] = ()) -> CheckpointSource:
    """Return the source that a text names: a folder, an artifact, or `<hub id>@<commit>`."""
    hub_id, _, revision = location.partition("@")
    if location.startswith((".", "/", "~", "artifact:")):
        hub_id, revision = location, ""
    return CheckpointSource(hub_id, revision, offline, cache_dir, files)


def own_cache(cache_dir: Path | None) -> Path:
    """Return the folder for checkpoints of the artifact store, next to the hub library's own cache."""
    return (cache_dir or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()) / "lumenmill"


def check_free_space(folder: Path, num_bytes: int, location: str) -> None:
    """Check that the disk of a folder, which need not exist yet, has enough free space.

    Raises:
        FailedPreconditionError: it has not.
    """
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
    free_bytes = shutil.disk_usage(existing).free
    if num_bytes > free_bytes:
        raise FailedPreconditionError(
            f"{location} needs {num_bytes / _GIB:.2f} GiB more in {folder}, and {free_bytes / _GIB:.2f} GiB are free",
            "LUMENMILL_CACHE_DIR",
        )
