"""A mapping from strings to strings on disk, so that memory does not grow with the dataset."""

import sqlite3
from pathlib import Path

__all__ = ["DiskMap"]


class DiskMap:
    """A mapping in a file, for one thread; deleting the file deletes it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=OFF")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")

    def get(self, key: str) -> str | None:
        """Return the value of a key, or None."""
        row = self._connection.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_default(self, key: str, value: str) -> str:
        """Return the value of a key, which is set to `value` if it has none."""
        self._connection.execute("INSERT OR IGNORE INTO entries VALUES (?, ?)", (key, value))
        return self.get(key) or ""

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
