"""The arguments of a denoiser call, sent from rank 0 to the other ranks: structure as JSON, tensors by broadcast."""

from typing import Any

import torch
import torch.distributed as dist

from lumenmill_common.errors import UnimplementedError
from lumenmill_neural.device import Device

__all__ = ["broadcast", "decode", "encode"]

_SOURCE_RANK = 0


def encode(value: Any, tensors: list[torch.Tensor]) -> Any:
    """Return a value as JSON can hold it; append its tensors to `tensors`, in order.

    Raises:
        UnimplementedError: it holds a type that is neither JSON nor a tensor.
    """
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        dtype = str(value.dtype).removeprefix("torch.")
        return {"tensor": [list(value.shape), dtype, value.device.type]}
    if isinstance(value, dict):
        return {"dict": {str(key): encode(item, tensors) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"list": [encode(item, tensors) for item in value]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"plain": value}
    raise UnimplementedError(f"a {type(value).__name__} cannot be sent to the other GPUs")


def broadcast(tensors: list[torch.Tensor]) -> None:
    """Send tensors from rank 0 to all other ranks."""
    for tensor in tensors:
        dist.broadcast(tensor.contiguous(), _SOURCE_RANK)


def decode(encoded: Any, device: Device) -> Any:
    """Return the value that `encode` encoded; receive its tensors from rank 0, in order."""
    ((kind, content),) = encoded.items()
    if kind == "tensor":
        shape, dtype, device_type = content
        target = device.torch_device if device_type == device.torch_device.type else device_type
        tensor = torch.empty(shape, dtype=getattr(torch, dtype), device=target)
        dist.broadcast(tensor, _SOURCE_RANK)
        return tensor
    if kind == "dict":
        return {name: decode(item, device) for name, item in content.items()}
    if kind == "list":
        return [decode(item, device) for item in content]
    return content
