"""The device that a model runs on: its memory, the peak use of it, and freeing it."""

import gc
import os
import time
from dataclasses import dataclass
from typing import Any

import torch

from lumenmill_common.errors import FailedPreconditionError

__all__ = ["Device", "Mark", "find_device", "is_out_of_memory"]

Mark = Any
"""A point in the device's work: seconds of the host's clock on the CPU, an event of the stream on an accelerator."""

_GIB = 1 << 30
# Messages of RuntimeErrors: torch on the CPU, oneDNN, C++, CUDA, cuBLAS and cuDNN.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "could not create a memory",
    "could not create a primitive",
    "std::bad_alloc",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


@dataclass(frozen=True)
class Device:
    """One accelerator, or the CPU."""

    torch_device: torch.device
    name: str
    memory_gib: float
    """Memory that may be used, in GiB."""
    compute_capability: tuple[int, int] = (0, 0)
    """Compute capability of an NVIDIA GPU; zeros for others."""
    count: int = 1
    """Number of such devices that work together; this is the first, and `memory_gib` is the memory of each."""

    @property
    def is_cpu(self) -> bool:
        """Whether it is the CPU."""
        return bool(self.torch_device.type == "cpu")

    def dtype(self, requested: str) -> torch.dtype:
        """Return the type of weights: the requested one on an accelerator, float32 on the CPU."""
        return torch.float32 if self.is_cpu else getattr(torch, requested)

    def generator(self, seed: int) -> torch.Generator:
        """Return a random generator, on the CPU, so that a seed gives the same numbers on every device."""
        return torch.Generator("cpu").manual_seed(seed)

    def synchronize(self) -> None:
        """Wait until the device has done the work that this thread queued."""
        if not self.is_cpu:
            torch.cuda.current_stream(self.torch_device).synchronize()

    def mark(self) -> "Mark":
        """Return the current point in the device's work; an accelerator may reach it later, because work is queued."""
        if self.is_cpu:
            return time.monotonic()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.torch_device))
        return event

    def seconds_between(self, earlier: "Mark", later: "Mark") -> float:
        """Return the seconds that the device took from one mark to another; wait until it has reached the later one."""
        if isinstance(earlier, float):
            return float(later - earlier)
        later.synchronize()
        return float(earlier.elapsed_time(later)) / 1e3

    def start_peak(self) -> None:
        """Start to measure the peak use of memory."""
        if not self.is_cpu:
            torch.cuda.reset_peak_memory_stats(self.torch_device)

    def peak_memory_bytes(self) -> int:
        """Return the peak use since `start_peak`; 0 on the CPU, where it is not measured."""
        return 0 if self.is_cpu else torch.cuda.max_memory_allocated(self.torch_device)

    def free(self) -> None:
        """Free memory that no tensor uses."""
        gc.collect()
        if not self.is_cpu:
            torch.cuda.empty_cache()


def find_device(requested: str, memory_limit_gib: float | None = None, count: int = 1) -> Device:
    """Return the device of a name, the first of `count` that work together. `auto` is the first accelerator, or the CPU
    if there is none.

    Raises:
        FailedPreconditionError: there is no such device.
    """
    if requested == "cpu" or (requested == "auto" and not torch.cuda.is_available()):
        total_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
        name = f"cpu:{os.cpu_count() or 1} (torch {torch.__version__})"
        return Device(torch.device("cpu"), name, min(total_gib, memory_limit_gib or total_gib), count=count)
    if not torch.cuda.is_available():
        raise FailedPreconditionError(f"{requested} was requested, and torch sees no CUDA device", "LUMENMILL_DEVICE")
    index = int(requested.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise FailedPreconditionError(f"there are {torch.cuda.device_count()} CUDA devices", "LUMENMILL_DEVICE")
    properties = torch.cuda.get_device_properties(index)
    total_gib = properties.total_memory / _GIB
    if memory_limit_gib is not None:
        torch.cuda.set_per_process_memory_fraction(min(1.0, memory_limit_gib / total_gib), index)
    memory_gib = min(total_gib, memory_limit_gib or total_gib)
    name = f"{count} × {properties.name}" if count > 1 else properties.name
    return Device(torch.device("cuda", index), name, memory_gib, (properties.major, properties.minor), count)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out: that of torch, of Python, or of a library with its own."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)
    )
