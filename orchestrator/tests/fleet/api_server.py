"""An API server that plays what one has said: lists by path, over real HTTP."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

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

    def answer(self, path: str, query: dict[str, str], token: str) -> tuple[int, dict[str, Any]]:
        self.asked.append((path, query))
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
        server.shutdown()
        server.server_close()
        thread.join()
