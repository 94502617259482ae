"""Tiny tokenizers, networks and pipelines of a megabyte, for tests, and for benchmarks without a GPU.

Weights are drawn from a seed. They have the same parts as the published models, and are saved and loaded in the same
way.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    MarigoldDepthPipeline,
    MarigoldIntrinsicsPipeline,
    MarigoldNormalsPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

__all__ = [
    "MARIGOLD_PARTS",
    "TinyCheckpoints",
    "clip_text_encoder",
    "clip_tokenizer",
    "save_marigold",
    "sd_unet",
    "sd_vae",
    "sdxl_scheduler",
    "seeded",
    "t5_encoder",
    "t5_tokenizer",
    "tiny_flux",
    "tiny_sdxl",
    "tiny_settings",
    "xl_unet",
]

MARIGOLD_PARTS = ("depth", "normals", "appearance", "lighting")

_CHARACTERS = [chr(code) for code in range(33, 127)]


def clip_tokenizer() -> CLIPTokenizer:
    """Return a tokenizer whose tokens are single characters."""
    words = [*_CHARACTERS, *(f"{character}</w>" for character in _CHARACTERS), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[], model_max_length=77)


def t5_tokenizer() -> T5Tokenizer:
    """Return a tokenizer whose tokens are single characters."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *_CHARACTERS]
    return T5Tokenizer(vocab=[(piece, -float(index)) for index, piece in enumerate(pieces)], extra_ids=0)


def seeded(make: Any, seed: int = 0) -> Any:
    """Return what `make` returns, with weights drawn from a seed."""
    torch.manual_seed(seed)
    return make()


def clip_text_encoder(width: int = 32, *, projection: int = 32, model: Any = CLIPTextModel) -> Any:
    """Return a CLIP text encoder with two layers."""
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
    """Return a T5 encoder with two layers."""
    config = T5Config(vocab_size=128, d_model=width, d_kv=8, d_ff=2 * width, num_layers=2, num_heads=4)
    return seeded(lambda: T5EncoderModel(config))


def sd_vae(seed: int = 0, **config: Any) -> AutoencoderKL:
    """Return an autoencoder like Stable Diffusion's, with two levels: a latent pixel is 2 × 2 pixels."""
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    shape = {"block_out_channels": (8, 8), "latent_channels": 4, "norm_num_groups": 4, "sample_size": 32}
    return seeded(lambda: AutoencoderKL(**{**blocks, **shape, **config}), seed)


def sd_unet(in_channels: int = 4, out_channels: int = 4, seed: int = 0, **config: Any) -> UNet2DConditionModel:
    """Return a denoiser like Stable Diffusion's, with two levels."""
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


def tiny_flux(*, guidance_embeds: bool = True, num_blocks: int = 1, vae_width: int = 8) -> FluxPipeline:
    """Return FLUX.1 with `num_blocks` blocks of each kind; without `guidance_embeds` it is schnell. Pictures are twice
    as wide as latents, and a token has 2 × 2 latents."""
    transformer = seeded(
        lambda: FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=num_blocks,
            num_single_layers=num_blocks,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=guidance_embeds,
        )
    )
    vae = sd_vae(
        block_out_channels=(vae_width, vae_width),
        sample_size=64,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.0609,
        scaling_factor=1.5035,
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=clip_text_encoder(),
        text_encoder_2=t5_encoder(),
        tokenizer=clip_tokenizer(),
        tokenizer_2=t5_tokenizer(),
        transformer=transformer,
        vae=vae,
    )


def tiny_sdxl() -> StableDiffusionXLPipeline:
    """Return SDXL with both of its text encoders."""
    return StableDiffusionXLPipeline(
        vae=sd_vae(scaling_factor=0.13025),
        text_encoder=clip_text_encoder(),
        text_encoder_2=clip_text_encoder(model=CLIPTextModelWithProjection),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        unet=xl_unet(text_width=64, pooled_width=32),
        scheduler=sdxl_scheduler(),
    )


def xl_unet(*, text_width: int, pooled_width: int, **config: Any) -> UNet2DConditionModel:
    """Return a U-Net like SDXL's: conditioned on text, on a pooled text embedding, and on six numbers of size and
    crop."""
    return sd_unet(
        sample_size=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 1),
        use_linear_projection=True,
        cross_attention_dim=text_width,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + pooled_width,
        **config,
    )


def sdxl_scheduler() -> EulerDiscreteScheduler:
    """Return the scheduler of SDXL's checkpoint."""
    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )


def save_marigold(folder: Path, parts: Sequence[str] = MARIGOLD_PARTS) -> None:
    """Save Marigold's pipelines, each in the folder of its part's name."""
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
# Target properties of the published checkpoints.
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


class TinyCheckpoints:
    """The folders of tiny checkpoints by model; each is saved once."""

    def __init__(self, root: Path, savers: Mapping[str, Callable[[Path], None]]) -> None:
        self._root, self._savers = root, savers

    def __call__(self, model: str) -> Path:
        """Return the folder of a model's checkpoint."""
        save = self._savers[model]
        folder = self._root / save.__name__
        if not folder.exists():
            save(folder)
        return folder


def tiny_settings(folder: Path, model: str, checkpoint: Path, /, **settings: Any) -> dict[str, Any]:
    """Return the settings of a service on the CPU, on a free port, with its store in a folder."""
    defaults = {
        "model": model,
        "checkpoint": str(checkpoint),
        "device": "cpu",
        "listen_address": "127.0.0.1:0",
        "metrics_address": "",
        "drain_s": 0.0,
        "store_url": f"file://{folder}/store",
    }
    return defaults | settings
