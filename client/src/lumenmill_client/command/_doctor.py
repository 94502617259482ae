"""Checks of this machine: packages, hardware and the local mesh."""

import importlib.util
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lumenmill_client.mesh import Home, status

__all__ = ["Finding", "examine"]

_PACKAGES = {
    "lumenmill_orchestrator": "orchestrator",
    "lumenmill_prompter": "services/prompter",
    "lumenmill_captioner": "services/captioner",
    "lumenmill_studio": "services/studio",
}
_NEURAL_PACKAGES = ("lumenmill_imager", "lumenmill_relighter", "lumenmill_video")
_MIN_FREE_BYTES = 2 << 30
_MIN_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    state: str
    good: bool
    needed: bool
    remedy: str = ""

    @property
    def mark(self) -> str:
        """Return `ok`, `missing`, or `note` for what is not required."""
        if self.good:
            return "ok"
        return "missing" if self.needed else "note"

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def examine(home: Home) -> list[Finding]:
    """Check Python, the installed packages, GPU, disk, memory and the mesh."""
    return [_python(), *_packages(), _neural(), _gpu(), _disk(home), _memory(), _mesh(home)]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    return Finding("Python", version, good, needed=True, remedy="" if good else "install Python 3.11 or newer")


def _packages() -> list[Finding]:
    findings = []
    for module, folder in _PACKAGES.items():
        good = importlib.util.find_spec(module) is not None
        state, remedy = ("installed", "") if good else ("not installed", f"pip install ./{folder}, or run `make setup`")
        findings.append(Finding(module, state, good, needed=True, remedy=remedy))
    return findings


def _neural() -> Finding:
    good = all(importlib.util.find_spec(module) is not None for module in _NEURAL_PACKAGES)
    state, remedy = (
        ("installed", "") if good else ("not installed", "`make neural`, for FLUX, Wan2.1 and similar models")
    )
    return Finding("neural services", state, good, needed=False, remedy=remedy)


def _gpu() -> Finding:
    good = bool(list(Path("/dev").glob("nvidia[0-9]*")))
    state = "NVIDIA" if good else "none: studio renders on the CPU"
    return Finding("GPU", state, good, needed=False, remedy="" if good else "not needed; one makes rendering faster")


def _disk(home: Home) -> Finding:
    folder = next(parent for parent in [home.root, *home.root.parents] if parent.exists())
    free = shutil.disk_usage(folder).free
    good = free >= _MIN_FREE_BYTES
    return Finding("disk", f"{free / 2**30:.0f} GiB free", good, needed=True, remedy="" if good else "free 2 GiB")


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    good = total >= _MIN_MEMORY_BYTES
    remedy = "" if good else "4 GiB make rendering comfortable"
    return Finding("memory", f"{total / 2**30:.0f} GiB", good, needed=False, remedy=remedy)


def _mesh(home: Home) -> Finding:
    state = status(home)
    if not state.running:
        return Finding("mesh", "not running", good=False, needed=False, remedy="lumenmill up")
    not_ready = [service.name for service in state.services if service.health != "SERVING"]
    if not_ready:
        logs = ", ".join(str(home.log_file(name)) for name in not_ready)
        return Finding("mesh", f"not ready: {', '.join(not_ready)}", good=False, needed=True, remedy=f"read {logs}")
    return Finding("mesh", f"{len(state.services)} services ready", good=True, needed=False)
