"""A Prometheus server: its HTTP API, and a process of it for tests."""

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumenmill_common.loopback import exempt_from_proxies

__all__ = ["Prometheus", "Series", "running_prometheus"]

_START_S, _STOP_S, _ANSWER_S = 30.0, 10.0, 30.0


@dataclass(frozen=True)
class Series:
    """One time series of an answer."""

    labels: dict[str, str]
    points: list[tuple[float, float]]
    """(Unix time in seconds, value); NaN and infinities are left out."""


@dataclass(frozen=True)
class Prometheus:
    """The HTTP API of a server."""

    url: str

    def query_range(self, expr: str, start_s: float, end_s: float, step_s: float) -> list[Series]:
        """Return the series of a query over a range of time. Series without a number are left out.

        Raises:
            ValueError: Prometheus refuses the query; the message says why.
        """
        answer = self._get("query_range", query=expr, start=start_s, end=end_s, step=step_s)
        found = [
            Series(
                {name: value for name, value in series["metric"].items() if name != "__name__"},
                [(at_s, float(value)) for at_s, value in series["values"] if value not in ("NaN", "+Inf", "-Inf")],
            )
            for series in answer["result"]
        ]
        return [series for series in found if series.points]

    def rules(self) -> list[dict[str, Any]]:
        """Return the alert rules that the server evaluates."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def up(self) -> dict[str, bool]:
        """Return for each scraped instance whether the last scrape succeeded."""
        return {
            target["labels"]["instance"]: target["health"] == "up" for target in self._get("targets")["activeTargets"]
        }

    def _get(self, path: str, **parameters: Any) -> Any:
        exempt_from_proxies(self.url)
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as response:  # noqa: S310 - our own server
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{json.load(error)['error']}: {parameters.get('query')}") from None


@contextlib.contextmanager
def running_prometheus(binary: str, configuration: Path, log: Path) -> Iterator[Prometheus]:
    """Run a server on a free port with its data beside its configuration, and stop it at the end of the block.

    Raises:
        RuntimeError: the server does not start; the message ends with its log.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        binary,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={configuration.parent / 'data'}",
        f"--web.listen-address={address}",
    ]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:  # noqa: S603
        try:
            _wait_until_ready(f"http://{address}/-/ready", process, log)
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    exempt_from_proxies(url)
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):  # noqa: S310
            return
        time.sleep(0.2)
    raise RuntimeError(f"Prometheus does not start: {log.read_text()[-1000:]}")
