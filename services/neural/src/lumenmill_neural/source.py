"""Where one checkpoint comes from, and what was brought."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lumenmill_common.errors import FailedPreconditionError

__all__ = ["Checkpoint", "CheckpointSource", "check_room", "own_cache", "source_at"]

_GIB = 1 << 30


@dataclass(frozen=True)
class CheckpointSource:
    """What to load: `location` is a hub id, a folder, or `artifact:<sha256>`; `revision` is the hub commit."""

    location: str
    revision: str = ""
    offline: bool = False
    cache_dir: Path | None = None
    files: tuple[str, ...] = ()
    """Patterns of the files of a hub repository that are meant; none means all that a pipeline could need."""
    variant: str = ""
    """Of the weights of a hub repository that holds several, `fp16` for example."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on this machine's disk."""

    folder: Path
    revision: str
    """Commit, or a digest of the files: part of every content key."""


def source_at(location: str, offline: bool, cache_dir: Path | None, files: tuple[str, ...] = ()) -> CheckpointSource:
    """What one text names: a folder, an artifact, or `<hub id>@<commit>`."""
    hub_id, _, revision = location.partition("@")
    if location.startswith((".", "/", "~", "artifact:")):
        hub_id, revision = location, ""
    return CheckpointSource(hub_id, revision, offline, cache_dir, files)


def own_cache(cache_dir: Path | None) -> Path:
    """The folder for what is ours in a cache, beside what the hub library keeps there."""
    return (cache_dir or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()) / "lumenmill"


def check_room(folder: Path, num_bytes: int, location: str) -> None:
    """Looks whether so many bytes more fit beside a folder, which need not be there yet.

    Raises:
        FailedPreconditionError: they do not.
    """
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
    free_bytes = shutil.disk_usage(place).free
    if num_bytes > free_bytes:
        raise FailedPreconditionError(
            f"{location} needs {num_bytes / _GIB:.2f} GiB more in {folder}, and {free_bytes / _GIB:.2f} GiB are free",
            "LUMENMILL_CACHE_DIR",
        )
