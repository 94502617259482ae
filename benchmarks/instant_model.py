"""A model that answers immediately, in a process of its own, so that only the mesh's own cost is measured."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["instant_model"]

_PROGRAM = Path(__file__).parents[1] / "orchestrator" / "tests" / "tiny_mesh.py"


@contextlib.contextmanager
def instant_model(folder: Path, step_s: float = 0.0) -> Iterator[str]:
    """Run a model whose every call takes `step_s` seconds, and yield its address."""
    file = folder / f"address-{step_s:g}.json"
    command = [
        sys.executable,
        str(_PROGRAM),
        f"file://{folder}/store",
        str(file),
        str(folder / "made.txt"),
        str(step_s),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - our own program
    try:
        while not file.exists():
            if process.poll() is not None:
                raise RuntimeError("the instant model did not start")
            time.sleep(0.05)
        yield str(json.loads(file.read_text())["grpc"])
    finally:
        process.kill()
        process.wait()
