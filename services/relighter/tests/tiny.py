"""Tiny checkpoints with random weights, saved in the layout of the real ones, with folders for their parts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxControlPipeline,
    FluxKontextPipeline,
    FluxTransformer2DModel,
    QwenImageEditPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
)
from safetensors.torch import load_file, save_file
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
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
from lumenmill_neural.testing_qwen import qwen2_5_vl, qwen_image_transformer, qwen_image_vae, qwen_tokenizer
from lumenmill_relighter.families.qwen_image_edit import ImageTextProcessor

FLUX_PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "vae")


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


def save_qwen_image_edit(folder: Path) -> None:
    """Qwen-Image-Edit. Its autoencoder halves pictures three times, so that a megapixel has few tokens."""
    tokenizer = qwen_tokenizer()
    image_processor = Qwen2VLImageProcessorPil(min_pixels=56 * 56, max_pixels=56 * 56)
    pipe = QwenImageEditPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=qwen_image_vae(base_dim=4, dim_mult=[1, 1, 1, 1]),
        text_encoder=qwen2_5_vl(),
        tokenizer=tokenizer,
        processor=ImageTextProcessor(image_processor, tokenizer),
        transformer=qwen_image_transformer(),
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
