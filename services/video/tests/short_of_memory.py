"""Processes in which torch's allocator really fails in the denoiser, for clips of many tokens.

Python imports `sitecustomize` first, from the folder that `in_processes_of` writes it to.
"""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_MANY_TOKENS = 100
_FREE_BYTES, _ALLOCATED_BYTES = 64 << 20, 1 << 30


def in_processes_of(program: str, folder: Path) -> dict[str, str]:
    """Return an environment in which processes with this program's name in their command have little memory."""
    lines = [
        "import sys",
        f"if {program!r} in sys.orig_argv:",
        "    import short_of_memory",
        "    short_of_memory.install()",
    ]
    (folder / "sitecustomize.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"PYTHONPATH": python_path(folder, Path(__file__).parent)}


def python_path(*folders: Path) -> str:
    """Return a PYTHONPATH with these folders before those of this process."""
    return os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")])


def install() -> None:
    """Make the denoiser of this process run out of memory for clips of many tokens."""
    import torch
    from diffusers.models.transformers.transformer_wan import WanTransformerBlock

    compute = WanTransformerBlock.forward

    def forward(self: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if hidden_states.shape[1] >= _MANY_TOKENS:
            with _little_memory():
                torch.zeros(_ALLOCATED_BYTES // 4)
        return compute(self, hidden_states, *args, **kwargs)

    WanTransformerBlock.forward = forward


@contextmanager
def _little_memory() -> Iterator[None]:
    in_use_kib = next(
        int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")
    )
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (in_use_kib * 1024 + _FREE_BYTES, hard_limit))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft_limit, hard_limit))
