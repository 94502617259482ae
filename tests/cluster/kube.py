"""kubectl and helm, used as by an operator."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "helm" / "lumenmill"


def run(*command: str, check: bool = True, timeout_s: float = 120, text: str | None = None) -> str:
    """Return the standard output of a command; on failure, raise an error with its standard error."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout_s, input=text)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command[:6])} … ended with {done.returncode}: {done.stderr[-3000:]}")
    return done.stdout


def until(what: str, ready: Callable[[], Any], timeout_s: float = 120, every_s: float = 0.5) -> Any:
    """Return the first true result of `ready`."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        if found := ready():
            return found
        assert time.monotonic() < deadline_s, f"{what}: not within {timeout_s} s"
        time.sleep(every_s)


@dataclass(frozen=True)
class Namespace:
    """One namespace of the cluster."""

    name: str

    def kubectl(self, *arguments: str, check: bool = True, timeout_s: float = 120, text: str | None = None) -> str:
        return run("kubectl", "-n", self.name, *arguments, check=check, timeout_s=timeout_s, text=text)

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def pods(self, selector: str = "") -> list[Any]:
        return list(self.get("pods", *(["-l", selector] if selector else []))["items"])

    def helm(self, *arguments: str, timeout_s: float = 600) -> str:
        return run("helm", "-n", self.name, *arguments, timeout_s=timeout_s)

    def describe_problems(self) -> str:
        """Return pods, events and logs for the message of a failed test."""
        events = self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False)
        not_ready = [pod["metadata"]["name"] for pod in self.pods() if not is_ready(pod)]
        logs = [
            f"--- {name}\n{self.kubectl('logs', name, '--all-containers', '--tail=15', *previous, check=False)}"
            for name in not_ready
            for previous in ([], ["--previous"])
        ]
        return "\n".join([self.kubectl("get", "pods", "-o", "wide", check=False), *events.splitlines()[-25:], *logs])


def is_ready(pod: Any) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def forwarded(namespace: Namespace, target: str, port: int) -> Iterator[str]:
    """Yield a local address that is forwarded to the target, also after its pod was replaced."""
    local = free_port()
    forward = f"kubectl -n {namespace.name} port-forward {target} {local}:{port}"
    script = f"while true; do {forward} > /dev/null 2>&1; sleep 0.3; done"
    process = subprocess.Popen([shutil.which("bash") or "bash", "-c", script], start_new_session=True)
    try:
        until(f"port-forward to {target}", lambda: _answers(local), 60)
        yield f"localhost:{local}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
