"""A mapping from texts to texts that lies on disk, so that memory does not grow with what was seen."""

import sqlite3
from pathlib import Path

__all__ = ["DiskMap"]


class DiskMap:
    """A mapping in a file of its own, for one thread. It is gone with its file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=OFF")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")

    def get(self, key: str) -> str | None:
        """The value of a key, or None."""
        row = self._connection.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_default(self, key: str, value: str) -> str:
        """The value of a key, which becomes `value` if it had none."""
        self._connection.execute("INSERT OR IGNORE INTO entries VALUES (?, ?)", (key, value))
        return self.get(key) or ""

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
