"""A model hub on this machine, for tests of what is fetched over HTTP."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["COMMIT", "Hub", "running_hub"]

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves folders as repositories with one commit, over the part of the hub's HTTP API that its library uses. Gated
    repositories need the token. Records the paths that were requested."""

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.token, self.url = "hf_tiny", ""
        self.declared_bytes: dict[str, int] = {}
        """Sizes of files that the hub lists instead of the true ones."""
        self.requested: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *args: object) -> None:
        """Log nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path.strip("/")
        self.hub.requested.append(path)
        is_listing = path.startswith("api/models/")
        if path.count("/") < 4:  # a request that the library makes on its own
            self._refuse(404, "EntryNotFound")
            return
        owner, name, kind, commit, *file = path.removeprefix("api/models/").split("/")
        repository = f"{owner}/{name}"
        if repository not in self.hub.repositories:
            self._refuse(401 if not self.headers.get("Authorization") else 404, "RepoNotFound")
        elif is_listing and kind == "revision" and commit == "main":
            self._send(json.dumps({"id": repository, "sha": COMMIT}).encode())
        elif commit != COMMIT:
            self._refuse(404, "RevisionNotFound")
        elif is_listing:
            self._send(json.dumps(self._listed(self.hub.repositories[repository])).encode())
        elif repository in self.hub.gated and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._refuse(403 if self.headers.get("Authorization") else 401, "GatedRepo")
        else:
            self._send((self.hub.repositories[repository] / "/".join(file)).read_bytes())

    def _listed(self, folder: Path) -> list[dict[str, object]]:
        names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        sizes = {name: self.hub.declared_bytes.get(name, path.stat().st_size) for name, path in names.items()}
        return [{"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in sizes.items()]

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Run a hub that answers at its `url`."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
