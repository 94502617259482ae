"""Find the files of the operator's folders that can be used: one that cannot be is logged and keeps none from use."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from lumenmill_common.telemetry import get_logger

__all__ = ["files_of", "log_num_skipped", "log_skipped", "shown_name", "usable_files"]

FactsT = TypeVar("FactsT")
_log = get_logger(__name__)


def files_of(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files of a folder with these suffixes, which are in lower case, by name; none without the folder."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes) if folder.is_dir() else []


def usable_files(paths: Sequence[Path], facts_of: Callable[[Path], FactsT], kind: str) -> Iterator[tuple[Path, FactsT]]:
    """Yield the files of which `facts_of` returns facts; those for which it raises are logged as `kind` with why.

    `facts_of` raises ValueError, whose text says what is wrong with the file, or OSError.
    """
    for path in paths:
        try:
            if path.name != shown_name(path):
                raise ValueError("has a name that is not UTF-8")
            facts = facts_of(path)
        except (ValueError, OSError) as error:
            log_skipped(path, error.strerror if isinstance(error, OSError) and error.strerror else str(error), kind)
        else:
            yield path, facts


def log_skipped(path: Path, reason: str, kind: str) -> None:
    """Log that a file is not used."""
    _log.warning(f"{kind} is skipped", file=shown_name(path), reason=reason)


def log_num_skipped(folder: Path, num_skipped: int, num_served: int, kinds: str) -> None:
    """Log how many files of a folder are not used, if any are not."""
    if num_skipped:
        _log.warning(f"{kinds} are skipped", folder=str(folder), num_skipped=num_skipped, num_served=num_served)


def shown_name(path: Path) -> str:
    """Return the name of a file as text, whatever bytes it has."""
    return path.name.encode("utf-8", "backslashreplace").decode()
