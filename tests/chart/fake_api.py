"""The part of an API server that `lookup` uses: the list of kinds, and Secrets by name."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from .helm import NAMESPACE, Object

_KINDS = {
    "kind": "APIResourceList",
    "groupVersion": "v1",
    "resources": [
        {"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["get", "list"]}
    ],
}


@contextlib.contextmanager
def cluster_with(secrets: dict[str, Object], folder: Path) -> Iterator[Path]:
    """Yield a kubeconfig, in the folder, of a server that has these Secrets, by their full names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            namespace, _, name = self.path.removeprefix("/api/v1/namespaces/").partition("/secrets/")
            found = _KINDS if self.path.startswith("/api/v1?") or self.path == "/api/v1" else None
            if found is None and namespace == NAMESPACE:
                found = secrets.get(name)
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps(found or status).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "nobody"}}],
                "users": [{"name": "nobody", "user": {}}],
                "current-context": "fake",
            }
        )
    )
    try:
        yield kubeconfig
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
