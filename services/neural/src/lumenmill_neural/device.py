"""The device that a model runs on: how much memory it has, what was used of it, and how to get it back."""

import gc
import os
import time
from dataclasses import dataclass
from typing import Any

import torch
from lumenmill_common.errors import FailedPreconditionError

__all__ = ["Device", "Mark", "find_device", "is_out_of_memory"]

Mark = Any
"""Seconds of the host's clock on the CPU, an event of the stream on an accelerator."""

_GIB = 1 << 30
# torch on the CPU, oneDNN, C++, CUDA, cuBLAS and cuDNN, which torch raises as RuntimeError.
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
    """Of an NVIDIA GPU; zeros for others."""
    count: int = 1
    """Of such devices at work together; this is the first, and `memory_gib` that of one."""

    @property
    def is_cpu(self) -> bool:
        """Whether it is no accelerator."""
        return bool(self.torch_device.type == "cpu")

    def dtype(self, wanted: str) -> torch.dtype:
        """Type of weights: the wanted one on an accelerator, single floats on the CPU."""
        return torch.float32 if self.is_cpu else getattr(torch, wanted)

    def generator(self, seed: int) -> torch.Generator:
        """Random numbers of a seed. They are drawn on the CPU, so that every device draws the same."""
        return torch.Generator("cpu").manual_seed(seed)

    def synchronize(self) -> None:
        """Waits until the device has done what this thread gave it."""
        if not self.is_cpu:
            torch.cuda.current_stream(self.torch_device).synchronize()

    def mark(self) -> "Mark":
        """A point in the device's work, which may lie ahead of the host's time: work is only queued to accelerators."""
        if self.is_cpu:
            return time.monotonic()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.torch_device))
        return event

    def seconds_between(self, earlier: "Mark", later: "Mark") -> float:
        """Seconds that the device took from one mark to another; waits until it has come to the later one."""
        if isinstance(earlier, float):
            return float(later - earlier)
        later.synchronize()
        return float(earlier.elapsed_time(later)) / 1e3

    def start_peak(self) -> None:
        """Begins to watch the largest use of memory."""
        if not self.is_cpu:
            torch.cuda.reset_peak_memory_stats(self.torch_device)

    def peak_memory_bytes(self) -> int:
        """Largest use since `start_peak`; 0 on the CPU, where it is not measured."""
        return 0 if self.is_cpu else torch.cuda.max_memory_allocated(self.torch_device)

    def free(self) -> None:
        """Gives back what no tensor holds any more."""
        gc.collect()
        if not self.is_cpu:
            torch.cuda.empty_cache()


def find_device(wanted: str, memory_limit_gib: float | None = None, count: int = 1) -> Device:
    """The device of a name, one of `count` that work together; with `auto` the first accelerator, else the CPU.

    Raises:
        FailedPreconditionError: there is no such device.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        total_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
        name = f"cpu:{os.cpu_count() or 1} (torch {torch.__version__})"
        return Device(torch.device("cpu"), name, min(total_gib, memory_limit_gib or total_gib), count=count)
    if not torch.cuda.is_available():
        raise FailedPreconditionError(f"{wanted} was asked for, and torch sees no CUDA device", "LUMENMILL_DEVICE")
    index = int(wanted.partition(":")[2] or 0)
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
    """Whether an error says that memory was too small: that of an allocator, or of a library that has its own."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)
    )
