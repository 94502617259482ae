"""Tiny checkpoints with random weights, saved in the layout of the real ones, with folders for their parts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxControlPipeline,
    FluxKontextPipeline,
    FluxTransformer2DModel,
    QwenImageEditPipeline,
    QwenImageTransformer2DModel,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
)
from safetensors.torch import load_file, save_file
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
)
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from lumenmill_neural.testing import (
    clip_text_encoder,
    clip_tokenizer,
    save_marigold,
    sd_unet,
    sd_vae,
    seeded,
    tiny_flux,
)
from lumenmill_relighter.families.qwen_image_edit import ImageTextProcessor

FLUX_PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "vae")
_QWEN_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]


def save_depth_estimator(folder: Path) -> None:
    """Depth Anything V2 with four layers."""
    backbone = Dinov2Config(
        image_size=28,
        patch_size=14,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        initializer_range=0.3,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        initializer_range=0.3,  # else the depths of random weights are all the same
    )
    seeded(lambda: DepthAnythingForDepthEstimation(config)).save_pretrained(folder)
    size = {"height": 28, "width": 28}
    DPTImageProcessorPil(size=size, keep_aspect_ratio=True, ensure_multiple_of=14).save_pretrained(folder)


def save_flat_depth_estimator(folder: Path) -> None:
    """Depth Anything to which everything is equally far."""
    save_depth_estimator(folder)
    weights = {name: torch.zeros_like(tensor) for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _flux_parts(**transformer: Any) -> dict[str, Any]:
    parts = dict(tiny_flux().components)
    config = {name: value for name, value in parts["transformer"].config.items() if not name.startswith("_")}
    return parts | {"transformer": seeded(lambda: FluxTransformer2DModel(**{**config, **transformer}))}


def save_flux_depth(folder: Path) -> None:
    """FLUX.1 Depth: the latents of the depth are added to those of the picture."""
    parts = _flux_parts(in_channels=32, out_channels=16)
    FluxControlPipeline(**{name: parts[name] for name in FLUX_PARTS}).save_pretrained(folder)
    save_depth_estimator(folder / "depth_estimator")


def save_flux_with_estimator(folder: Path) -> None:
    """FLUX.1; the LoRA conditions it on depth."""
    tiny_flux().save_pretrained(folder)
    save_depth_estimator(folder / "depth_estimator")


def save_depth_lora(folder: Path) -> None:
    """An adapter like FLUX.1-Depth-dev-lora, which widens the first layer."""
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    width = 32
    lora = {
        "transformer.x_embedder.lora_A.weight": torch.randn(4, 32),
        "transformer.x_embedder.lora_B.weight": torch.randn(width, 4) * 0.3,
    }
    save_file(lora, folder / "flux1-depth-dev-lora.safetensors")


def save_kontext(folder: Path) -> None:
    """FLUX.1 Kontext is made of the same parts as FLUX.1."""
    parts = tiny_flux().components
    FluxKontextPipeline(**{name: parts[name] for name in FLUX_PARTS}).save_pretrained(folder)


def save_pix2pix(folder: Path) -> None:
    """InstructPix2Pix: the latents of the picture are added to the noise."""
    StableDiffusionInstructPix2PixPipeline(
        vae=sd_vae(),
        text_encoder=clip_text_encoder(),
        tokenizer=clip_tokenizer(),
        unet=sd_unet(in_channels=8),
        scheduler=EulerAncestralDiscreteScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def _save_ic_light(folder: Path, name: str, in_channels: int) -> None:
    StableDiffusionPipeline(
        vae=sd_vae(),
        text_encoder=clip_text_encoder(),
        tokenizer=clip_tokenizer(),
        unet=sd_unet(),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    save_depth_estimator(folder / "depth_estimator")
    (folder / "offset").mkdir()
    torch.manual_seed(5)
    wide = sd_unet(in_channels=in_channels).state_dict()
    save_file({key: 0.1 * torch.randn_like(tensor) for key, tensor in wide.items()}, folder / "offset" / name)


def save_ic_light_fc(folder: Path) -> None:
    """Stable Diffusion and the offset of IC-Light for a foreground."""
    _save_ic_light(folder, "iclight_sd15_fc.safetensors", 8)


def save_ic_light_fbc(folder: Path) -> None:
    """Stable Diffusion and the offset of IC-Light for foreground and background."""
    _save_ic_light(folder, "iclight_sd15_fbc.safetensors", 12)


def qwen_tokenizer() -> Qwen2Tokenizer:
    """A tokenizer of single letters; ▁ and line ends are tokens of their own."""
    letters = [*(chr(code) for code in range(33, 127)), "Ġ", "Ċ"]
    tokenizer = Qwen2Tokenizer(vocab={letter: index for index, letter in enumerate(letters)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": _QWEN_TOKENS[1:]})
    return tokenizer


def save_qwen_image_edit(folder: Path) -> None:
    """Qwen-Image-Edit. Its autoencoder halves pictures three times, so that a megapixel has few tokens."""
    tokenizer = qwen_tokenizer()
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in _QWEN_TOKENS}
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2]},
            "vocab_size": len(tokenizer),
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
            "fullatt_block_indexes": [1],
        },
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        image_token_id=ids["<|image_pad|>"],
        vision_token_id=ids["<|image_pad|>"],
        video_token_id=0,
    )
    vae = seeded(
        lambda: AutoencoderKLQwenImage(
            base_dim=4,
            z_dim=4,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        )
    )
    transformer = seeded(
        lambda: QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(8, 4, 4),
        )
    )
    image_processor = Qwen2VLImageProcessorPil(min_pixels=56 * 56, max_pixels=56 * 56)
    pipe = QwenImageEditPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=seeded(lambda: Qwen2_5_VLForConditionalGeneration(config)),
        tokenizer=tokenizer,
        processor=ImageTextProcessor(image_processor, tokenizer),
        transformer=transformer,
    )
    pipe.save_pretrained(folder)
    image_processor.save_pretrained(folder / "processor")
    index = json.loads((folder / "model_index.json").read_text())
    index["processor"] = ["transformers", "Qwen2VLProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index))


SAVERS: dict[str, Callable[[Path], None]] = {
    "FLUX.1-Depth-dev": save_flux_depth,
    "FLUX.1-Depth-dev-lora": save_flux_with_estimator,
    "FLUX.1-Kontext-dev": save_kontext,
    "IC-Light-fbc": save_ic_light_fbc,
    "IC-Light-fc": save_ic_light_fc,
    "Marigold": save_marigold,
    "Qwen-Image-Edit": save_qwen_image_edit,
    "instruct-pix2pix": save_pix2pix,
}
