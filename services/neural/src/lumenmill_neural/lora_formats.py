"""Formats of published LoRA files: which ones cannot be loaded, and what diffusers would not find or would leave out.

Diffusers reads the names of kohya's sd-scripts, XLabs, ComfyUI, PEFT and its own older versions, if the denoiser's name
stands before them.
"""

import re
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file

from lumenmill_neural.lora_vectors import VECTORS, Tensors, with_vectors

__all__ = ["DOWN_PROJECTION", "converted", "unreadable_format"]

# `.lora_A.` and `.lora_A.default.` of PEFT, `.lora_down.` of kohya, `.lora.down.` and `.lora_linear_layer.down.` of
# diffusers, `.to_q_lora.down.` of its older versions, `.qkv_lora1.down.` of XLabs.
_PAIR = r"(\.lora[._]|\.lora_linear_layer\.|_lora\d?\.){}(\.[\w-]+)?\.weight$"
DOWN_PROJECTION = re.compile(_PAIR.format("(A|down)"))
_LOADABLE = re.compile(
    rf"{_PAIR.format('(A|B|down|up)')}|\.lora_B(\.[\w-]+)?\.bias$|\.lora_magnitude_vector(\.[\w-]+)?$"
    r"|\.(alpha|diff|diff_b|dora_scale)$"
)
_OTHER_FORMATS = {
    "LoKr": re.compile(r"\.lokr_"),
    "LoHa": re.compile(r"\.hada_"),
    "IA3": re.compile(r"\.(on_input|ia3_l)"),
    "OFT": re.compile(r"\.b?oft_"),
    "GLoRA": re.compile(r"\.[ab][12]\.weight$"),
    "LoCon with Tucker decomposition": re.compile(r"\.lora_mid\.weight$"),
    "control LoRA": re.compile(r"\.(query|key)_norm\.scale$|^lora_controlnet$"),
    "textual inversion": re.compile(r"^(emb_params|clip_[lg])$"),
    "whole checkpoint": re.compile(r"^(model\.diffusion_model|first_stage_model|conditioner)\."),
}
_DENOISERS = ("transformer", "unet")


def unreadable_format(path: Path) -> str:
    """Return why a safetensors file cannot be loaded as a LoRA: its format, or a tensor of unknown meaning; empty if it
    can."""
    with safe_open(path, "pt") as tensors:
        unknown = [key for key in tensors.keys() if not _LOADABLE.search(key)]  # noqa: SIM118 - not a mapping
    for name, pattern in _OTHER_FORMATS.items():
        if any(pattern.search(key) for key in unknown):
            return f"is in the format {name}, which cannot be loaded; give low-rank pairs (LoRA or DoRA)"
    return f"holds more than low-rank pairs: {unknown[0][:120]}" if unknown else ""


def converted(pipe: Any, path: Path) -> Tensors | None:
    """Return the tensors of a file by names that diffusers reads; None if it reads the whole file as it is.

    Raises:
        ValueError: the file holds what cannot be part of an adapter; says what.
    """
    with safe_open(path, "pt") as tensors:
        names = {key: _with_component(pipe, key) for key in tensors.keys()}  # noqa: SIM118 - not a mapping
    has_vectors = any(key.endswith(VECTORS) for key in names)
    if not has_vectors and all(key == name for key, name in names.items()):
        return None
    named = {names[key]: tensor for key, tensor in load_file(path).items()}
    return with_vectors(pipe, named) if has_vectors else named


def _with_component(pipe: Any, key: str) -> str:
    """Return a key with the denoiser's name before it, which PEFT and `save_attn_procs` leave out."""
    bare = key.removeprefix("base_model.model.")
    for name in _DENOISERS:
        if hasattr(getattr(pipe, name, None), bare.split(".")[0]):
            return f"{name}.{bare}"
    return key
