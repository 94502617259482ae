"""The folder that holds a local mesh: store, database, logs and the addresses of what runs."""

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
        """The home at a path, which need not exist."""
        return cls(path.expanduser().absolute())

    @property
    def store(self) -> Path:
        """Artifact store."""
        return self.root / "store"

    @property
    def database(self) -> Path:
        """SQLite database of the orchestrator."""
        return self.root / "orchestrator.sqlite"

    @property
    def models_file(self) -> Path:
        """Names and addresses of the models, as the orchestrator reads them."""
        return self.root / "run" / "models.json"

    @property
    def mesh_file(self) -> Path:
        """What the supervisor says of itself and its children."""
        return self.root / "run" / "mesh.json"

    def address_file(self, service: str) -> Path:
        """Where a service tells the addresses that it has bound."""
        return self.root / "run" / f"{service}.address.json"

    def log_file(self, service: str) -> Path:
        """Log of a service."""
        return self.root / "logs" / f"{service}.log"

    def make(self) -> None:
        """Makes the folders; only this user may look into them."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for folder in (self.root / "run", self.root / "logs", self.store):
            folder.mkdir(exist_ok=True)

    def read_mesh(self) -> dict[str, Any]:
        """The supervisor's last word, or nothing."""
        try:
            state: dict[str, Any] = json.loads(self.mesh_file.read_text())
        except FileNotFoundError:
            return {}
        return state

    def is_supervised(self) -> bool:
        """Whether a supervisor runs for this home."""
        if not self._lock_file.exists():
            return False
        with self._lock_file.open() as file:
            return not _try_lock(file.fileno())

    @contextmanager
    def supervising(self) -> Iterator[bool]:
        """Yields whether the caller is the one supervisor of this home; the kernel lets go when the process ends."""
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
    """Writes a JSON file whole or not at all."""
    incoming = path.with_name(f"{path.name}.{os.getpid()}.incoming")
    incoming.write_text(json.dumps(content, indent=1))
    incoming.replace(path)
