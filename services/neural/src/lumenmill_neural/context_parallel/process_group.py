"""The process group of torch that the ranks form, and context parallelism in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from diffusers import ContextParallelConfig

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.context_parallel.entry import GPUS_SETTING
from lumenmill_neural.device import Device

__all__ = ["enable_context_parallelism", "join_process_group"]


def join_process_group(rendezvous: Path, rank: int, num_ranks: int, device: Device) -> None:
    """Join the process group and wait until all ranks have joined. They meet in a file, and communicate over loopback
    only."""
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ[variable] = "lo"
    if not device.is_cpu:
        torch.cuda.set_device(device.torch_device)
    dist.init_process_group(
        "cpu:gloo" if device.is_cpu else "cpu:gloo,cuda:nccl",
        init_method=rendezvous.as_uri(),
        rank=rank,
        world_size=num_ranks,
    )


def enable_context_parallelism(denoiser: Any, num_ranks: int) -> None:
    """Make each rank compute its part of the denoiser's tokens. On GPUs any number of tokens works; on the CPU the
    number must be a multiple of `num_ranks`, because gloo cannot gather uneven parts.

    Raises:
        FailedPreconditionError: the attention backend does not support it.
    """
    with _at_least_one_accelerator():
        try:
            denoiser.enable_parallelism(config=ContextParallelConfig(ulysses_degree=num_ranks, ulysses_anything=True))
        except ValueError as error:
            raise FailedPreconditionError(
                f"cannot be parallelised: {' '.join(str(error).split())[:300]}", GPUS_SETTING
            ) from error


@contextmanager
def _at_least_one_accelerator() -> Iterator[None]:
    """Report one accelerator where there is only the CPU: diffusers takes the rank modulo their number, which is 0."""
    if torch.accelerator.device_count():
        yield
        return
    original, torch.accelerator.device_count = torch.accelerator.device_count, lambda: 1
    try:
        yield
    finally:
        torch.accelerator.device_count = original
