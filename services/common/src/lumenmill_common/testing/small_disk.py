"""A small disk, if this process may mount one."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumenmill_common import errors
from lumenmill_common.artifacts import ArtifactStore

__all__ = ["fill", "fill_files", "small_disk"]


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a tmpfs of some size (`48m`, and other options) below a folder; skip the test without the right to."""
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603
        pytest.skip("no right to mount a small disk here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)  # noqa: S603, S607


def fill(store: ArtifactStore) -> int:
    """Store files of decreasing size until the store is full; return how many there are."""
    num_stored = 0
    for size_bytes in (1 << 20, 64 << 10, 4 << 10, 1):
        with contextlib.suppress(errors.ResourceExhaustedError):
            while True:
                store.put_bytes(os.urandom(size_bytes + 8), "text/plain")
                num_stored += 1
    return num_stored


def fill_files(disk: Path) -> Path:
    """Write a file in a folder until its disk is full; return the file."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return ballast
