"""A release of the chart, and a client outside of the cluster with TLS and token."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kube import CHART, ROOT, Namespace, is_ready, until

VALUES = [CHART / "values-embedded.yaml", Path(__file__).parent / "values-test.yaml"]
if extra := os.environ.get("LUMENMILL_TEST_VALUES"):
    VALUES.append(Path(extra))
TAG = os.environ.get("LUMENMILL_TEST_TAG", "0.1.0")
NEXT_TAG = os.environ.get("LUMENMILL_TEST_NEXT_TAG", "")
REGISTRY = os.environ.get("LUMENMILL_TEST_REGISTRY", "")

RELEASE = "lumenmill"
_FIND_POD_S = 30.0
ENDED = ("completed", "failed", "cancelled")


def helm_values(tag: str = TAG) -> list[str]:
    """Return options for helm install and upgrade."""
    images = ["--set", f"image.tag={tag}", *(["--set", f"image.registry={REGISTRY}"] if REGISTRY else [])]
    return [part for file in VALUES for part in ("-f", str(file))] + images


@dataclass
class Mesh:
    """A client of the mesh: its address, a folder with certificates and token, and the `lumenmill` command."""

    namespace: Namespace
    address: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def lumenmill(self, *arguments: str, timeout_s: float = 600, check: bool = True) -> str:
        """Return the standard output of the command."""
        deadline_s = time.monotonic() + _FIND_POD_S
        while True:
            done = subprocess.run(
                [sys.executable, "-m", "lumenmill_client.command", *arguments],
                check=False, capture_output=True, text=True, timeout=timeout_s, cwd=ROOT, env=self.environment,
            )  # fmt: skip
            # port-forward notices only at the next call that its pod was replaced.
            if "A port-forward may have ended" not in done.stderr or time.monotonic() > deadline_s:
                break
            time.sleep(1.0)
        if check:
            problems = self.namespace.describe_problems() if done.returncode else ""
            assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr[-2000:]}\n{problems}"
        return done.stdout

    def json(self, *arguments: str, timeout_s: float = 600) -> Any:
        """Return the JSON output of the command."""
        return json.loads(self.lumenmill(*arguments, "--json", timeout_s=timeout_s))

    def submit(self, recipe: str, run_id: str, **parameters: Any) -> None:
        """Start a run without waiting for it."""
        settings = [part for name, value in parameters.items() for part in ("--set", f"{name}={value}")]
        self.lumenmill("run", recipe, "--run-id", run_id, "--detach", *settings)

    def run(self, run_id: str) -> Any:
        """Return a run as it is now."""
        return _one(self.json("runs"), run_id)

    def state(self, run_id: str) -> str:
        """Return its state; empty while the orchestrator does not answer."""
        output = self.lumenmill("runs", "--json", check=False)
        return str(_one(json.loads(output), run_id)["state"]) if output.strip() else ""

    def wait(self, run_id: str, timeout_s: float = 600) -> Any:
        """Wait until a run has ended, and return it."""
        until(f"the end of {run_id}", lambda: self.state(run_id) in ENDED, timeout_s, every_s=1.0)
        return self.run(run_id)

    def samples(self, run_id: str) -> list[Any]:
        """Return its samples."""
        return list(self.json("samples", run_id, "--limit", "1000"))


def _one(runs: list[Any], run_id: str) -> Any:
    return next(run for run in runs if run["id"] == run_id)


def installed(namespace: Namespace, *options: str, tag: str = TAG) -> None:
    """Run `helm install`, and wait until every pod is ready."""
    namespace.helm("install", RELEASE, str(CHART), *helm_values(tag), *options)
    all_ready(namespace)


def all_ready(namespace: Namespace, timeout_s: float = 240) -> None:
    def ready() -> bool:
        pods = [pod for pod in namespace.pods() if pod["status"]["phase"] not in ("Succeeded", "Failed")]
        return bool(pods) and all(is_ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in pods)

    try:
        until("every pod is ready", ready, timeout_s)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{namespace.describe_problems()}") from None


def credentials(namespace: Namespace, folder: Path) -> dict[str, str]:
    """Write the files of a client from the Secrets named in the chart's notes, and return its environment."""
    import base64

    secrets = {
        "ca.crt": ("client-tls", "ca.crt"),
        "tls.crt": ("client-tls", "tls.crt"),
        "tls.key": ("client-tls", "tls.key"),
        "token": ("token", "token"),
    }
    for file, (name, key) in secrets.items():
        data = namespace.get("secret", f"{RELEASE}-{name}")["data"][key]
        (folder / file).write_bytes(base64.b64decode(data))
    return {
        "LUMENMILL_TLS_CA_FILE": str(folder / "ca.crt"),
        "LUMENMILL_TLS_CERT_FILE": str(folder / "tls.crt"),
        "LUMENMILL_TLS_KEY_FILE": str(folder / "tls.key"),
        "LUMENMILL_TOKEN_FILE": str(folder / "token"),
    }
