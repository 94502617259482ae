"""For tests: tokenizers of a few hundred words that save and load as real ones do, and tiny networks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    MarigoldDepthPipeline,
    MarigoldIntrinsicsPipeline,
    MarigoldNormalsPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

__all__ = [
    "MARIGOLD_PARTS",
    "clip_text_encoder",
    "clip_tokenizer",
    "save_marigold",
    "sd_unet",
    "sd_vae",
    "seeded",
    "t5_encoder",
    "t5_tokenizer",
]

MARIGOLD_PARTS = ("depth", "normals", "appearance", "lighting")

_CHARACTERS = [chr(code) for code in range(33, 127)]


def clip_tokenizer() -> CLIPTokenizer:
    """Letter by letter."""
    words = [*_CHARACTERS, *(f"{character}</w>" for character in _CHARACTERS), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[], model_max_length=77)


def t5_tokenizer() -> T5Tokenizer:
    """Letter by letter."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *_CHARACTERS]
    return T5Tokenizer(vocab=[(piece, -float(index)) for index, piece in enumerate(pieces)], extra_ids=0)


def seeded(make: Any, seed: int = 0) -> Any:
    """What a function makes, with weights drawn from a seed."""
    torch.manual_seed(seed)
    return make()


def clip_text_encoder(width: int = 32, *, projection: int = 32, model: Any = CLIPTextModel) -> Any:
    """A CLIP text encoder with two layers."""
    config = CLIPTextConfig(
        vocab_size=256,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=projection,
        bos_token_id=188,
        eos_token_id=189,
        pad_token_id=189,
    )
    return seeded(lambda: model(config))


def t5_encoder(width: int = 32) -> T5EncoderModel:
    """A T5 encoder with two layers."""
    config = T5Config(vocab_size=128, d_model=width, d_kv=8, d_ff=2 * width, num_layers=2, num_heads=4)
    return seeded(lambda: T5EncoderModel(config))


def sd_vae(seed: int = 0, **config: Any) -> AutoencoderKL:
    """An autoencoder as Stable Diffusion has it, with two levels: a latent pixel is 2 × 2 pixels."""
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    shape = {"block_out_channels": (8, 8), "latent_channels": 4, "norm_num_groups": 4, "sample_size": 32}
    return seeded(lambda: AutoencoderKL(**{**blocks, **shape, **config}), seed)


def sd_unet(in_channels: int = 4, out_channels: int = 4, seed: int = 0, **config: Any) -> UNet2DConditionModel:
    """A denoiser as Stable Diffusion has it, with two levels."""
    shape = {
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "sample_size": 16,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 32,
        "attention_head_dim": 4,
        "norm_num_groups": 4,
    }
    channels = {"in_channels": in_channels, "out_channels": out_channels}
    return seeded(lambda: UNet2DConditionModel(**{**shape, **channels, **config}), seed)


def save_marigold(folder: Path, parts: Sequence[str] = MARIGOLD_PARTS) -> None:
    """Marigold's pipelines, each in the folder of its part's name."""
    for index, part in enumerate(parts):
        _marigold(part, index).save_pretrained(folder / part)


def _marigold(part: str, seed: int) -> Any:
    num_targets = {"appearance": 2, "lighting": 3}.get(part, 1)
    config: dict[str, Any] = {
        "unet": sd_unet(4 * (1 + num_targets), 4 * num_targets, seed),
        "vae": sd_vae(),
        "scheduler": DDIMScheduler(prediction_type="v_prediction", timestep_spacing="trailing", clip_sample=False),
        "text_encoder": clip_text_encoder(),
        "tokenizer": clip_tokenizer(),
        "default_denoising_steps": 2,
        "default_processing_resolution": 32,
    }
    if part == "depth":
        return MarigoldDepthPipeline(prediction_type="depth", **config)
    if part == "normals":
        return MarigoldNormalsPipeline(prediction_type="normals", **config)
    return MarigoldIntrinsicsPipeline(prediction_type="intrinsics", target_properties=_TARGETS[part], **config)


_LINEAR = {"prediction_space": "linear"}
# As the published checkpoints have them.
_TARGETS: dict[str, dict[str, Any]] = {
    "appearance": {
        "target_names": ["albedo", "material"],
        "albedo": {"prediction_space": "srgb"},
        "material": {"prediction_space": "stack", "sub_target_names": ["roughness", "metallicity", None]},
        "roughness": _LINEAR,
        "metallicity": _LINEAR,
    },
    "lighting": {
        "target_names": ["albedo", "shading", "residual"],
        "albedo": {**_LINEAR, "up_to_scale": False},
        "shading": {**_LINEAR, "up_to_scale": True},
        "residual": {**_LINEAR, "up_to_scale": True},
    },
}
