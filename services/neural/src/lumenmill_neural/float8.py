"""Denoisers with weights and activations in 8-bit floats, by torchao: half of the memory, and faster matrix
products."""

import importlib
from typing import Any

from diffusers import PipelineQuantizationConfig, TorchAoConfig

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.device import Device

__all__ = ["float8_arguments"]

_SETTING = "LUMENMILL_FP8"
# The first NVIDIA GPUs with 8-bit matrix products: Ada; then Hopper and later.
_MIN_CAPABILITY = (8, 9)


def float8_arguments(device: Device) -> dict[str, Any]:
    """Return arguments of `from_pretrained` that quantise a pipeline's transformer while it is loaded. Layers whose
    sides are not multiples of 16 are not quantised.

    Raises:
        FailedPreconditionError: the device has no 8-bit matrix products, or torchao is not installed.
    """
    if device.compute_capability < _MIN_CAPABILITY:
        found = ".".join(map(str, device.compute_capability)) if any(device.compute_capability) else "none"
        raise FailedPreconditionError(
            f"needs an NVIDIA GPU of compute capability 8.9 or more (Ada, Hopper); {device.name} has {found}", _SETTING
        )
    try:
        quantization = importlib.import_module("torchao.quantization")  # an optional dependency
    except ImportError as error:
        raise FailedPreconditionError("torchao is not installed: lumenmill-neural[fp8]", _SETTING) from error
    float8 = TorchAoConfig(quantization.Float8DynamicActivationFloat8WeightConfig())
    return {"quantization_config": PipelineQuantizationConfig(quant_mapping={"transformer": float8})}
