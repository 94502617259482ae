"""What LyCORIS and ComfyUI write beside low-rank pairs, and diffusers drops: biases, full differences, DoRA magnitudes.

Diffusers knows which layers of a file are which of the model, and how it splits a layer of the file into several. It
converts the pairs twice: as they are, and with the number of each row instead of its values. The second result shows
which rows of a bias or of magnitudes belong to which layer of the model. For example, a layer `qkv` of six rows is
converted with the row numbers 1 to 6. If `to_k` comes out with the rows 3 and 4, its bias is `qkv.bias[2:4]`.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers.utils.state_dict_utils import (
    StateDictType,
    convert_state_dict_to_peft,
    convert_unet_state_dict_to_peft,
)

__all__ = ["VECTORS", "Tensors", "with_vectors"]

Tensors = dict[str, torch.Tensor]

VECTORS = (".diff", ".diff_b", ".dora_scale")
_KEY = re.compile(r"(.+)\.(lora_(?:down|A|up|B)\.weight|alpha|diff|diff_b|dora_scale)")
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_BIAS, _MAGNITUDES = ".lora_B.bias", ".lora_magnitude_vector"
# More than any layer has rows.
_MAX_ROWS = 1 << 24


@dataclass(frozen=True)
class _Layer:
    """A layer of a file: a pair of `down`, of rank × inputs, and `up`, of outputs × rank, and one value for each
    output."""

    name: str
    down: torch.Tensor
    up: torch.Tensor
    bias: torch.Tensor | None
    magnitudes: torch.Tensor | None

    @property
    def has_effect(self) -> bool:
        """Whether it changes anything: some published files list every layer, most of them as zeros."""
        return self.bias is not None or self.magnitudes is not None or bool(self.up.any() and self.down.any())


def with_vectors(pipe: Any, tensors: Tensors) -> Tensors:
    """Return the adapter of a file by the names of PEFT: pairs `lora_A` and `lora_B`, biases of `lora_B`, magnitudes.

    A full difference of a linear layer becomes a pair with an identity. DoRA is that of PEFT and LyCORIS: the rows of
    weight plus difference, each divided by its norm, times the magnitudes (Liu et al., 2024, arXiv:2402.09353).

    Raises:
        ValueError: the file holds what cannot be part of an adapter; says what.
    """
    layers = _layers(tensors)
    has_peft_names = any(key.endswith(_UP) for key in tensors)
    adapter = _by_peft_names(pipe, layers, has_peft_names)
    numbered = [replace(layer, up=_numbered(layer.up, index * _MAX_ROWS)) for index, layer in enumerate(layers)]
    found = set()
    for key, numbers in _by_peft_names(pipe, numbered, has_peft_names).items():
        if not key.endswith(_UP):
            continue
        name, rows = key.removesuffix(_UP), numbers.flatten(1)[:, 0].long() - 1
        layer, rows = layers[int(rows[0]) // _MAX_ROWS], rows % _MAX_ROWS
        found.add(layer.name)
        if not layer.down.numel():
            adapter[name + _DOWN] = torch.zeros(1, _num_inputs(pipe, name), dtype=layer.up.dtype)
        if layer.bias is not None:
            adapter[name + _BIAS] = layer.bias[rows]
        if layer.magnitudes is not None:
            adapter[name + _MAGNITUDES] = layer.magnitudes[rows].view(_magnitude_shape(adapter[name + _UP]))
    unknown = [layer.name for layer in layers if layer.name not in found and layer.has_effect]
    if unknown:
        raise ValueError(f"this model has no layer {unknown[0]}")
    return _completed(adapter)


def _layers(tensors: Tensors) -> list[_Layer]:
    parts: dict[str, Tensors] = defaultdict(dict)
    for key, tensor in tensors.items():
        matched = _KEY.fullmatch(key)
        if matched is None:
            raise ValueError(f"{key} is not expected beside biases, full differences or DoRA magnitudes")
        name, part = matched.groups()
        # Published files list the norms too, with differences of 0.
        if part not in {"diff", "diff_b"} or tensor.any():
            parts[name][part.replace("lora_A", "lora_down").replace("lora_B", "lora_up")] = tensor
    return [_layer(name, found) for name, found in parts.items()]


def _layer(name: str, parts: Tensors) -> _Layer:
    down, up = parts.get("lora_down.weight"), parts.get("lora_up.weight")
    bias, magnitudes, difference = parts.get("diff_b"), parts.get("dora_scale"), parts.get("diff")
    if difference is not None:
        if down is not None or difference.ndim != 2:
            raise ValueError(f"{name} has a full difference, which can be loaded for linear layers without a pair only")
        down, up = _as_pair(difference)
    elif bias is not None and down is None:
        down, up = torch.zeros(1, 0, dtype=bias.dtype), torch.zeros(len(bias), 1, dtype=bias.dtype)
    if down is None or up is None:
        raise ValueError(f"{name} has only half of a low-rank pair")
    if magnitudes is not None and magnitudes.shape[0] != len(up):
        raise ValueError(
            f"{name} is in the format DoRA with a magnitude for each input; only one for each output is loaded"
        )
    return _Layer(
        name,
        down,
        up * (parts["alpha"] / len(down)) if "alpha" in parts else up,
        bias,
        magnitudes.flatten() if magnitudes is not None else None,
    )


def _as_pair(difference: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    num_outputs, num_inputs = difference.shape
    identity = torch.eye(min(num_outputs, num_inputs), dtype=difference.dtype)
    return (difference, identity) if num_outputs <= num_inputs else (identity, difference)


def _numbered(up: torch.Tensor, first: int) -> torch.Tensor:
    numbers = torch.arange(first + 1, first + 1 + len(up), dtype=torch.float64)
    return numbers.view(-1, *(1 for _ in up.shape[1:])).expand(up.shape).contiguous()


def _by_peft_names(pipe: Any, layers: Sequence[_Layer], has_peft_names: bool) -> Tensors:
    """Return the pairs of layers as diffusers and PEFT name them."""
    tensors: Tensors = {}
    for layer in layers:
        down, up = (_DOWN, _UP) if has_peft_names else (".lora_down.weight", ".lora_up.weight")
        tensors |= {layer.name + down: layer.down, layer.name + up: layer.up}
        if "." not in layer.name:  # of kohya, where some converters of diffusers expect it
            tensors[layer.name + ".alpha"] = torch.tensor(float(len(layer.down)))
    options = {"unet_config": pipe.unet.config} if hasattr(pipe, "unet") else {}
    named = pipe.lora_state_dict(tensors, **options)
    pairs = named[0] if isinstance(named, tuple) else named  # with alphas, which are the ranks
    text = {key: tensor for key, tensor in pairs.items() if key.startswith("text_encoder")}
    others = {key: tensor for key, tensor in pairs.items() if key not in text}
    return {
        **convert_unet_state_dict_to_peft(others),
        **convert_state_dict_to_peft(text, original_type=StateDictType.DIFFUSERS_OLD),
    }


def _num_inputs(pipe: Any, name: str) -> int:
    component, _, layer = name.partition(".")
    try:
        return int(getattr(pipe, component).get_submodule(layer).weight.shape[1])
    except AttributeError:
        raise ValueError(f"this model has no layer {name}") from None


def _magnitude_shape(up: torch.Tensor) -> tuple[int, ...]:
    """Return the shape of PEFT's magnitudes: (outputs) of linear layers, (1, outputs, 1, 1) of convolutions."""
    return (-1,) if up.ndim == 2 else (1, -1, *(1 for _ in up.shape[2:]))


def _completed(adapter: Tensors) -> Tensors:
    """Add biases of 0 where other layers of the same part of the pipeline have one: PEFT gives all of them one.

    Raises:
        ValueError: only some layers of a part have magnitudes, for which there is no neutral value.
    """
    complete = dict(adapter)
    names = [key.removesuffix(_UP) for key in adapter if key.endswith(_UP)]
    for component in {name.partition(".")[0] for name in names}:
        within = [name for name in names if name.startswith(f"{component}.")]
        if any(name + _BIAS in adapter for name in within):
            zeros = {name + _BIAS: torch.zeros_like(adapter[name + _UP].flatten(1)[:, 0]) for name in within}
            complete |= zeros | {key: adapter[key] for key in zeros if key in adapter}
        with_magnitudes = [name for name in within if name + _MAGNITUDES in adapter]
        if with_magnitudes and len(with_magnitudes) < len(within):
            raise ValueError("is in the format DoRA for some layers only; all layers of a model's part must be")
    return complete
