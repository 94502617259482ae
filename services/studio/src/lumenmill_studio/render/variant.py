"""Find the Mitsuba variant that this machine can render with, by rendering in a child process.

A variant that is missing or crashes (as a wrong LLVM does in code generation) makes the renderer slower; it does not
crash this process.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["CUDA", "LLVM", "SCALAR", "Variant", "find_variant", "is_scalar", "use_variant"]

_PROBE = """
import sys, mitsuba as mi
mi.set_variant(sys.argv[1])
scene = mi.load_dict({"type": "scene", "i": {"type": "path"}, "e": {"type": "constant"}, "s": {"type": "sphere"},
    "c": {"type": "perspective", "to_world": mi.ScalarTransform4f().look_at([0, 0, 4], [0, 0, 0], [0, 1, 0]),
          "film": {"type": "hdrfilm", "width": 8, "height": 8}}})
import numpy as np
assert np.isfinite(np.array(mi.render(scene, spp=2))).all()
"""
_LIBRARY_VARIABLE = "DRJIT_LIBLLVM_PATH"
_LLVM_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/libLLVM.so.20.1",
    "/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1",
    "/usr/lib/aarch64-linux-gnu/libLLVM.so.19.1",
    "/usr/lib/x86_64-linux-gnu/libLLVM.so.18.1",
    "/usr/lib/x86_64-linux-gnu/libLLVM-17.so.1",
    "/usr/lib/x86_64-linux-gnu/libLLVM-16.so.1",
    "/usr/lib/llvm-19/lib/libLLVM.so",
    "/usr/lib/llvm-18/lib/libLLVM.so",
    "/opt/homebrew/opt/llvm/lib/libLLVM.dylib",
)
_TIMEOUT_S = 60.0
SCALAR, LLVM, CUDA = "scalar_rgb", "llvm_ad_rgb", "cuda_ad_rgb"


@dataclass(frozen=True)
class Variant:
    """A working variant, with its LLVM library (empty for the default one) and its device in words."""

    name: str
    llvm_library: str
    device: str


@lru_cache(maxsize=4)
def find_variant(requested: str = "auto", llvm_library: str = "") -> Variant:
    """Return the requested variant (``cuda``, ``llvm``, ``scalar``, or ``auto``: CUDA) if it works, else scalar.

    LLVM is used only on request: it compiles a renderer for every scene, which costs more than it saves when scenes are
    many and small. ``llvm_library`` is tried before the libraries of the distributions.
    """
    cpus = os.cpu_count() or 1
    if requested in ("auto", "cuda") and Path("/dev/nvidiactl").exists() and _renders(CUDA, ""):
        return Variant(CUDA, "", _gpu_name())
    if requested == "llvm":
        named = [path for path in (llvm_library, os.environ.get(_LIBRARY_VARIABLE, ""), *_LLVM_LIBRARIES) if path]
        for library in [*(path for path in named if Path(path).exists()), ""]:
            if _renders(LLVM, library):
                return Variant(LLVM, library, f"cpu:{cpus} (llvm{_llvm_version(library)})")
    return Variant(SCALAR, "", f"cpu:{cpus} (scalar)")


def use_variant(variant: Variant) -> None:
    """Select the variant in this thread."""
    import mitsuba as mi  # noqa: PLC0415 - the library path must be set before Dr.Jit is loaded

    if variant.llvm_library:
        os.environ[_LIBRARY_VARIABLE] = variant.llvm_library
    mi.set_variant(variant.name)
    mi.set_log_level(mi.LogLevel.Error)


def is_scalar() -> bool:
    """Return whether the variant of this thread interprets scenes instead of compiling a renderer for them."""
    import mitsuba as mi  # noqa: PLC0415 - as in use_variant

    return str(mi.variant()).startswith("scalar")


def _renders(name: str, library: str) -> bool:
    environment = {**os.environ, **({_LIBRARY_VARIABLE: library} if library else {})}
    try:
        probe = subprocess.run(  # noqa: S603 - the probe above; its arguments are constants and a library path
            # With -P, files of the working directory are not imported in place of modules.
            [sys.executable, "-P", "-c", _PROBE, name],
            env=environment,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0


def _llvm_version(library: str) -> str:
    digits = "".join(c if c.isdigit() or c == "." else " " for c in library.rsplit("/", 1)[-1]).split()
    return f" {digits[0].strip('.').split('.')[0]}" if digits and digits[0].strip(".") else ""


def _gpu_name() -> str:
    try:
        listing = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],  # noqa: S607 - the driver decides where it lies
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return listing.stdout.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        return "cuda"
