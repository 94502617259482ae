"""The processes of a division as torch knows them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from diffusers import ContextParallelConfig
from lumenmill_common.errors import FailedPreconditionError

from lumenmill_neural.device import Device
from lumenmill_neural.divisible import GPUS_SETTING

__all__ = ["join", "share_tokens"]


def join(rendezvous: Path, rank: int, size: int, device: Device) -> None:
    """Waits until all processes of a division have come. They meet in a file, and talk on this machine alone."""
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ[variable] = "lo"
    if not device.is_cpu:
        torch.cuda.set_device(device.torch_device)
    dist.init_process_group(
        "cpu:gloo" if device.is_cpu else "cpu:gloo,cuda:nccl",
        init_method=rendezvous.as_uri(),
        rank=rank,
        world_size=size,
    )


def share_tokens(denoiser: Any, size: int) -> None:
    """Makes each process of the division compute its part of the denoiser's tokens: whatever their number on GPUs, on
    the CPU numbers that can be shared evenly, since gloo gathers no others.

    Raises:
        FailedPreconditionError: the attention backend takes no part in it.
    """
    with _processes_of_the_cpu():
        try:
            denoiser.enable_parallelism(config=ContextParallelConfig(ulysses_degree=size, ulysses_anything=True))
        except ValueError as error:
            raise FailedPreconditionError(
                f"cannot be divided: {' '.join(str(error).split())[:300]}", GPUS_SETTING
            ) from error


@contextmanager
def _processes_of_the_cpu() -> Iterator[None]:
    """diffusers takes a process's rank modulo the number of accelerators, which is zero where there is only the CPU."""
    if torch.accelerator.device_count():
        yield
        return
    counted, torch.accelerator.device_count = torch.accelerator.device_count, lambda: 1
    try:
        yield
    finally:
        torch.accelerator.device_count = counted
