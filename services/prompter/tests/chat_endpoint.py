"""A real HTTP server that speaks the OpenAI chat-completions protocol, with a script of answers."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API_KEY = "sk-test-not-a-secret"


@dataclass
class Reply:
    """What the endpoint answers to one request."""

    content: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""
    refusal: str | None = None
    finish_reason: str = "stop"
    delay_s: float = 0.0
    body: Any = None
    """Sent in the place of the body that follows from the other fields: bytes as they are, others as JSON."""


def items(*entries: Any) -> Reply:
    return Reply(json.dumps({"items": list(entries)}))


class ChatEndpoint:
    """Answers requests by `script`, a function of the request's JSON and its running number from 0."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str] = []
        self.script: Callable[[dict[str, Any], int], Reply] = lambda request, number: items()
        self._lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with endpoint._lock:
                    number = len(endpoint.requests)
                    endpoint.requests.append(request)
                    endpoint.authorizations.append(self.headers["Authorization"])
                reply = endpoint.script(request, number)
                time.sleep(reply.delay_s)
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(_body(reply)).encode()
                try:
                    self.send_response_only(reply.status)  # without a date, which tests choose
                    for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except BrokenPipeError:
                    pass  # a client that timed out has gone

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def completion(message: Any, **changes: Any) -> dict[str, Any]:
    """The body of a completion whose only choice has this message."""
    return {
        "id": "answer",
        "object": "chat.completion",
        "created": 0,
        "model": "tiny",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    } | changes


def _body(reply: Reply) -> Any:
    if reply.body is not None:
        return reply.body
    if reply.status != 200:
        return {"error": {"message": reply.error, "type": "test", "code": None}}
    body = completion({"role": "assistant", "content": reply.content, "refusal": reply.refusal})
    body["choices"][0]["finish_reason"] = reply.finish_reason
    return body
