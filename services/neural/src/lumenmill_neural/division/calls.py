"""A call of the denoiser on its way from the leader to the members: what is no tensor as JSON, tensors by torch."""

from typing import Any

import torch
import torch.distributed as dist
from lumenmill_common.errors import UnimplementedError

from lumenmill_neural.device import Device

__all__ = ["described", "received", "send"]

_LEADER = 0


def described(value: Any, tensors: list[torch.Tensor]) -> Any:
    """A value as JSON has it, without its tensors, which are added to `tensors` in order.

    Raises:
        UnimplementedError: it holds something else.
    """
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        dtype = str(value.dtype).removeprefix("torch.")
        return {"tensor": [list(value.shape), dtype, value.device.type]}
    if isinstance(value, dict):
        return {"dict": {str(key): described(one, tensors) for key, one in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"list": [described(one, tensors) for one in value]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"plain": value}
    raise UnimplementedError(f"a {type(value).__name__} cannot be told to the other GPUs")


def send(tensors: list[torch.Tensor]) -> None:
    """Sends tensors to every member."""
    for tensor in tensors:
        dist.broadcast(tensor.contiguous(), _LEADER)


def received(told: Any, device: Device) -> Any:
    """The value that was described so; its tensors are received in order."""
    ((kind, content),) = told.items()
    if kind == "tensor":
        shape, dtype, device_type = content
        place = device.torch_device if device_type == device.torch_device.type else device_type
        tensor = torch.empty(shape, dtype=getattr(torch, dtype), device=place)
        dist.broadcast(tensor, _LEADER)
        return tensor
    if kind == "dict":
        return {name: received(one, device) for name, one in content.items()}
    if kind == "list":
        return [received(one, device) for one in content]
    return content
