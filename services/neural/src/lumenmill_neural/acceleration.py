"""Attention backends and compiled blocks of a denoiser, as the settings ask for them."""

import os
import shutil
from typing import Any

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.catalogue import ModelEntry, Placement

__all__ = ["compile_blocks", "set_attention_backend"]


def set_attention_backend(denoiser: Any, backend: str) -> None:
    """Set the attention backend of a denoiser by its name in diffusers.

    Raises:
        FailedPreconditionError: diffusers has no such backend, or it does not run here.
    """
    try:
        denoiser.set_attention_backend(backend)
    except (ValueError, RuntimeError, ImportError, AttributeError) as error:
        raise FailedPreconditionError(f"cannot be used: {_one_line(error)}", "LUMENMILL_ATTENTION_BACKEND") from error


def compile_blocks(denoiser: Any, entry: ModelEntry) -> None:
    """Compile the repeated blocks of a denoiser; allow graph breaks if step caches or sequential offloading cause them.

    Raises:
        FailedPreconditionError: there is no C compiler, or the denoiser has no repeated blocks.
    """
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        raise FailedPreconditionError(
            "needs a C compiler on the path (gcc, and Python's headers), which this machine or image lacks",
            "LUMENMILL_COMPILE",
        )
    has_breaks = any(preset.step_cache for preset in entry.presets.values()) or any(
        tier.placement is Placement.SEQUENTIAL_OFFLOAD for tier in entry.tiers
    )
    try:
        denoiser.compile_repeated_blocks(fullgraph=not has_breaks)
    except (ValueError, AttributeError) as error:
        raise FailedPreconditionError(
            f"{entry.title} has no blocks that can be compiled: {_one_line(error)}", "LUMENMILL_COMPILE"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
