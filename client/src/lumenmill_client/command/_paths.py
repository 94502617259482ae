"""Paths in options that take lists: the name of a file may contain the separator."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["num_parts_of_path"]


def num_parts_of_path(parts: Sequence[str], separator: str) -> int:
    """Return of how many parts of a split list its first path consists: of the most that name something that exists,
    else of one."""
    lengths = range(len(parts), 0, -1)
    return next((length for length in lengths if Path(separator.join(parts[:length])).exists()), 1)
