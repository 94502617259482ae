"""A Prometheus on this machine is asked without the proxy that the environment names."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lumenmill_common.testing.recording_proxy import recording_proxy
from monitoring.prometheus import Prometheus


class _Targets(BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        target = {"labels": {"instance": "studio"}, "health": "up"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": {"activeTargets": [target]}}).encode())


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Targets)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_server_on_this_machine_is_not_looked_for_at_a_proxy(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording_proxy() as proxy:
        for name, value in proxy.environment.items():
            monkeypatch.setenv(name, value)
        assert Prometheus(f"http://127.0.0.1:{server.server_port}").up() == {"studio": True}
    assert not proxy.requested
