"""A fake API server over real HTTP: it answers with the lists that a test gives it, in pages."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

NAMESPACE = "mill"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
NODES = "/api/v1/nodes"
H100 = "NVIDIA-H100-80GB-HBM3"
_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: fake, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: somebody, user: {{token: s3cret}}}}]
contexts: [{{name: fake, context: {{cluster: fake, user: somebody}}}}]
current-context: fake
"""


class FakeApiServer:
    """Answers GET with the lists that it has; other paths are forbidden. Records PATCH."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        """Path and query of every GET."""
        self.patches: list[tuple[str, dict[str, Any]]] = []
        self.num_expiring = 0
        """Requests for a next page that are answered by 410 Gone, before others succeed."""
        self.is_unavailable = False
        self.may_answer = threading.Event()
        """While it is not set, connections are accepted and not answered."""
        self.may_answer.set()

    def get(self, path: str, query: dict[str, str], token: str) -> tuple[int, dict[str, Any]]:
        self.requests.append((path, query))
        self.may_answer.wait()
        if self.is_unavailable:
            return _status(503, "the server is currently unable to handle the request")
        if token != "Bearer s3cret":  # noqa: S105 - of this test
            return _status(401, "Unauthorized")
        if path not in self.lists:
            return _status(403, f"{path} is forbidden")
        if "continue" in query and self.num_expiring:
            self.num_expiring -= 1
            return _status(410, "The provided continue parameter is too old")
        uid = query.get("fieldSelector", "").partition("involvedObject.uid=")[2].partition(",")[0]
        items = [each for each in self.lists[path] if not uid or each["involvedObject"]["uid"] == uid]
        return 200, _page(items, int(query.get("continue", 0)), int(query.get("limit", len(items))))

    def paths(self) -> list[str]:
        """The path of every GET."""
        return [path for path, _ in self.requests]


def _page(items: list[dict[str, Any]], start: int, limit: int) -> dict[str, Any]:
    end = start + limit
    metadata = {"resourceVersion": "7"} | ({"continue": str(end)} if end < len(items) else {})
    return {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items[start:end]}


def _status(code: int, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "code": code, "message": message}


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[FakeApiServer, Path]]:
    """The server, and the file for KUBECONFIG."""
    fake = FakeApiServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            self._send(*fake.get(url.path, query, self.headers.get("Authorization", "")))

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.patches.append((self.path, body))
            self._send(200, body)

        def _send(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content, separators=(",", ":")).encode()
            with contextlib.suppress(OSError):  # the client has given up
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(_KUBECONFIG.format(port=server.server_port))
    try:
        yield fake, kubeconfig
    finally:
        fake.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join()


def a_pod(name: str, status: dict[str, Any], node: str = "gpu-0", **metadata: Any) -> dict[str, Any]:
    model = name.partition("-")[0]
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"lumenmill.dev/model": model}, **metadata},
        "spec": {
            **({"nodeName": node} if node else {}),
            "containers": [{"name": "model", "resources": {"limits": {"nvidia.com/gpu": "2"}}}],
        },
        "status": status,
    }


def a_deployment(model: str, replicas: int, scaling: str, failure: str = "") -> dict[str, Any]:
    annotations = {"min-replicas": "0", "max-replicas": "4", "target-backlog-s": "600", "scaling": scaling}
    failed = [{"type": "ReplicaFailure", "status": "True", "message": failure}] if failure else []
    return {
        "metadata": {
            "name": f"mill-{model}",
            "labels": {"lumenmill.dev/model": model},
            "annotations": {f"lumenmill.dev/{name}": value for name, value in annotations.items()},
        },
        "spec": {
            "replicas": replicas,
            "template": {"spec": a_pod(model, {})["spec"] | {"nodeSelector": {"nvidia.com/gpu.product": H100}}},
        },
        "status": {"conditions": failed},
    }


def a_node(name: str, num_gpus: int, *, ready: bool = True, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {},
        "status": {
            "allocatable": {"nvidia.com/gpu": str(num_gpus)} if num_gpus else {},
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }
