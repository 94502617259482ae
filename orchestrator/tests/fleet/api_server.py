"""An API server that plays what one has said: lists by path, over real HTTP."""

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
H100 = "NVIDIA-H100-80GB-HBM3"
_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: played, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: somebody, user: {{token: s3cret}}}}]
contexts: [{{name: played, context: {{cluster: played, user: somebody}}}}]
current-context: played
"""


class ApiServer:
    """Answers with the lists it was given; paths it was not given are forbidden."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.is_away = False
        self.answers = threading.Event()
        """While it is not set, connections are taken and nothing is said."""
        self.answers.set()

    def answer(self, path: str, query: dict[str, str], token: str) -> tuple[int, dict[str, Any]]:
        self.asked.append((path, query))
        self.answers.wait()
        if self.is_away:
            return 503, {"kind": "Status", "message": "the server is currently unable to handle the request"}
        if token != "Bearer s3cret":  # noqa: S105 - of this test
            return 401, {"kind": "Status", "message": "Unauthorized"}
        if path not in self.lists:
            return 403, {"kind": "Status", "message": f"{path} is forbidden"}
        wanted = query.get("fieldSelector", "").partition("involvedObject.uid=")[2].partition(",")[0]
        items = [each for each in self.lists[path] if not wanted or each["involvedObject"]["uid"] == wanted]
        return 200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items}


@contextlib.contextmanager
def playing(folder: Path) -> Iterator[tuple[ApiServer, Path]]:
    """The server, and the file for KUBECONFIG."""
    played = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            status, content = played.answer(url.path, query, self.headers.get("Authorization", ""))
            body = json.dumps(content, separators=(",", ":")).encode()
            with contextlib.suppress(OSError):  # whoever asked has given up
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(_KUBECONFIG.format(port=server.server_port))
    try:
        yield played, kubeconfig
    finally:
        played.answers.set()
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
    notes = {"min-replicas": "0", "max-replicas": "4", "target-backlog-s": "600", "scaling": scaling}
    failed = [{"type": "ReplicaFailure", "status": "True", "message": failure}] if failure else []
    return {
        "metadata": {
            "name": f"mill-{model}",
            "labels": {"lumenmill.dev/model": model},
            "annotations": {f"lumenmill.dev/{name}": value for name, value in notes.items()},
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
