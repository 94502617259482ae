"""What this machine has and lacks."""

import importlib.util
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lumenmill_client.mesh import Home, status

__all__ = ["Finding", "examine"]

_ROOMS = {
    "lumenmill_orchestrator": "orchestrator",
    "lumenmill_prompter": "services/prompter",
    "lumenmill_captioner": "services/captioner",
    "lumenmill_studio": "services/studio",
}
_NEURAL_ROOMS = ("lumenmill_imager", "lumenmill_relighter", "lumenmill_video")
_MIN_FREE_BYTES = 2 << 30
_MIN_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: str
    good: bool
    needed: bool
    mend: str = ""

    @property
    def mark(self) -> str:
        """`ok`, `missing`, or `note` for what is only a loss of speed or comfort."""
        if self.good:
            return "ok"
        return "missing" if self.needed else "note"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def examine(home: Home) -> list[Finding]:
    """Looks at Python, the installed rooms, renderer, disk, memory and the mesh itself."""
    return [_python(), *_rooms(), _neural(), _gpu(), _disk(home), _memory(), _mesh(home)]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    return Finding("Python", version, good, needed=True, mend="" if good else "install Python 3.11 or newer")


def _rooms() -> list[Finding]:
    findings = []
    for module, folder in _ROOMS.items():
        good = importlib.util.find_spec(module) is not None
        state, mend = ("installed", "") if good else ("not installed", f"pip install ./{folder}, or run `make setup`")
        findings.append(Finding(module, state, good, needed=True, mend=mend))
    return findings


def _neural() -> Finding:
    good = all(importlib.util.find_spec(module) is not None for module in _NEURAL_ROOMS)
    state, mend = ("installed", "") if good else ("not installed", "`make neural`, for FLUX, Wan2.1 and their like")
    return Finding("neural services", state, good, needed=False, mend=mend)


def _gpu() -> Finding:
    good = bool(list(Path("/dev").glob("nvidia[0-9]*")))
    state = "NVIDIA" if good else "none: studio renders on the CPU"
    return Finding("GPU", state, good, needed=False, mend="" if good else "not needed; one makes rendering faster")


def _disk(home: Home) -> Finding:
    folder = next(parent for parent in [home.root, *home.root.parents] if parent.exists())
    free = shutil.disk_usage(folder).free
    good = free >= _MIN_FREE_BYTES
    return Finding("disk", f"{free / 2**30:.0f} GiB free", good, needed=True, mend="" if good else "free 2 GiB")


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    good = total >= _MIN_MEMORY_BYTES
    mend = "" if good else "4 GiB make rendering comfortable"
    return Finding("memory", f"{total / 2**30:.0f} GiB", good, needed=False, mend=mend)


def _mesh(home: Home) -> Finding:
    state = status(home)
    if not state.running:
        return Finding("mesh", "does not run", good=False, needed=False, mend="lumenmill up")
    sick = [service.name for service in state.services if service.health != "SERVING"]
    if sick:
        logs = ", ".join(str(home.log_file(name)) for name in sick)
        return Finding("mesh", f"not ready: {', '.join(sick)}", good=False, needed=True, mend=f"read {logs}")
    return Finding("mesh", f"{len(state.services)} services ready", good=True, needed=False)
