"""The state folder of a local mesh: store, database, logs and addresses of processes."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Home"]


@dataclass(frozen=True)
class Home:
    """Paths below the state folder of a local mesh."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> "Home":
        """Return the home at a path, which need not exist."""
        return cls(path.expanduser().absolute())

    @property
    def store(self) -> Path:
        """Return the folder of the artifact store."""
        return self.root / "store"

    @property
    def database(self) -> Path:
        """Return the SQLite database of the orchestrator."""
        return self.root / "orchestrator.sqlite"

    @property
    def models_file(self) -> Path:
        """Return the file with names and addresses of the models, which the orchestrator reads."""
        return self.root / "run" / "models.json"

    @property
    def mesh_file(self) -> Path:
        """Return the file with the state of the supervisor and its children."""
        return self.root / "run" / "mesh.json"

    def address_file(self, service: str) -> Path:
        """Return the file to which a service writes its bound addresses."""
        return self.root / "run" / f"{service}.address.json"

    def log_file(self, service: str) -> Path:
        """Return the log file of a service."""
        return self.root / "logs" / f"{service}.log"

    def log_files(self) -> Iterator[Path]:
        """Yield the log files that exist."""
        yield from (self.root / "logs").glob("*.log")

    def make(self) -> None:
        """Create the folders, readable only for this user."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for folder in (self.root / "run", self.root / "logs", self.store):
            folder.mkdir(exist_ok=True)

    def read_mesh(self) -> dict[str, Any]:
        """Return the state that the supervisor wrote last, or an empty mapping."""
        try:
            state: dict[str, Any] = json.loads(self.mesh_file.read_text())
        except FileNotFoundError:
            return {}
        return state

    def is_supervised(self) -> bool:
        """Return whether a supervisor is running for this home."""
        if not self._lock_file.exists():
            return False
        with self._lock_file.open() as file:
            return not _try_lock(file.fileno())

    @contextmanager
    def supervising(self) -> Iterator[bool]:
        """Yield whether the caller has become the supervisor of this home; the kernel releases the lock at its exit."""
        with self._lock_file.open("w") as file:
            yield _try_lock(file.fileno())

    @property
    def _lock_file(self) -> Path:
        return self.root / "run" / "supervisor.lock"


def _try_lock(file_number: int) -> bool:
    try:
        fcntl.flock(file_number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    incoming = path.with_name(f"{path.name}.{os.getpid()}.incoming")
    incoming.write_text(json.dumps(content, indent=1))
    incoming.replace(path)
