"""Processes in which torch's allocator really fails in the denoiser, for clips of many tokens.

Python imports `sitecustomize` before all else, from the folder that `in_processes_of` writes it to.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_MANY_TOKENS = 100
_ROOM_BYTES, _WANTED_BYTES = 64 << 20, 1 << 30


def in_processes_of(program: str, folder: Path) -> dict[str, str]:
    """The environment in which processes of a program, by its name in their command, are so."""
    lines = [
        "import sys",
        f"if {program!r} in sys.orig_argv:",
        "    import short_of_memory",
        "    short_of_memory.be()",
    ]
    (folder / "sitecustomize.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"PYTHONPATH": f"{folder}:{Path(__file__).parent}"}


def be() -> None:
    """Be so from now on."""
    import torch
    from diffusers.models.transformers.transformer_wan import WanTransformerBlock

    compute = WanTransformerBlock.forward

    def hungry(self: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if hidden_states.shape[1] >= _MANY_TOKENS:
            with _little_memory():
                torch.zeros(_WANTED_BYTES // 4)
        return compute(self, hidden_states, *args, **kwargs)

    WanTransformerBlock.forward = hungry


@contextmanager
def _little_memory() -> Iterator[None]:
    in_use_kib = next(
        int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")
    )
    usual, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (in_use_kib * 1024 + _ROOM_BYTES, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (usual, most))
