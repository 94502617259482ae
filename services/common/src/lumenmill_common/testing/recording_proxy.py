"""An HTTP proxy for tests, which records what is asked of it and passes nothing on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["RecordingProxy", "recording_proxy"]

_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
_EXEMPTIONS = ("no_proxy", "NO_PROXY", "no_grpc_proxy")


class RecordingProxy:
    """A proxy at `url`; `requested` has the first line of every request."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requested: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        """The variables that name the proxy; those that exempt hosts are empty."""
        names = (*_VARIABLES, *(name.upper() for name in _VARIABLES))
        return dict.fromkeys(names, self.url) | dict.fromkeys(_EXEMPTIONS, "")


class _Handler(BaseHTTPRequestHandler):
    proxy: RecordingProxy

    def log_message(self, *args: object) -> None:
        """Log nothing."""

    def _refuse(self) -> None:
        self.proxy.requested.append(self.requestline)
        self.send_error(502)

    do_CONNECT = do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _refuse  # noqa: N815 - as the library calls them


@contextmanager
def recording_proxy() -> Iterator[RecordingProxy]:
    """Run a proxy on this machine that refuses every request."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    proxy = RecordingProxy(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"proxy": proxy})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
