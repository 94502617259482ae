"""Tiny checkpoints with random weights, saved in the layout of the real ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTXVideo,
    AutoencoderKLTemporalDecoder,
    AutoencoderKLWan,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LTXConditionPipeline,
    LTXVideoTransformer3DModel,
    StableVideoDiffusionPipeline,
    TextToVideoSDPipeline,
    UNet3DConditionModel,
    UNetSpatioTemporalConditionModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from transformers import (
    CLIPImageProcessor,
    CLIPProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    UMT5Config,
    UMT5EncoderModel,
)

from lumenmill_neural.testing import (
    clip_text_encoder,
    clip_tokenizer,
    save_marigold,
    sd_vae,
    seeded,
    t5_encoder,
    t5_tokenizer,
)

_WAN: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 32,
    "freq_dim": 32,
    "ffn_dim": 32,
    "num_layers": 2,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 64,
}


def _wan_parts(vae: dict[str, Any] | None = None) -> dict[str, Any]:
    text = UMT5Config(vocab_size=128, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    shape = {"base_dim": 3, "z_dim": 16, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1} | (vae or {})
    return {
        "tokenizer": t5_tokenizer(),
        "text_encoder": seeded(lambda: UMT5EncoderModel(text)),
        "vae": seeded(lambda: AutoencoderKLWan(**shape, temperal_downsample=[False, True, True])),
        "scheduler": UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
    }


def _vision(model: Any) -> Any:
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=224,
        patch_size=14,
        projection_dim=32,
    )
    return seeded(lambda: model(config))


def save_wan_t2v(folder: Path) -> None:
    """Wan 2.1 text-to-video."""
    transformer = seeded(lambda: WanTransformer3DModel(**_WAN))
    WanPipeline(transformer=transformer, **_wan_parts()).save_pretrained(folder)


def save_wan_i2v(folder: Path) -> None:
    """Wan 2.1 image-to-video."""
    _save_wan_i2v(folder, image_encoder=_vision(CLIPVisionModel), image_processor=CLIPImageProcessor())


def save_wan_flf2v(folder: Path) -> None:
    """Wan 2.1 first-and-last-frame-to-video, whose index names other classes of the image encoder and processor."""
    _save_wan_i2v(
        folder,
        {"pos_embed_seq_len": 2 * 257},
        image_encoder=_vision(CLIPVisionModelWithProjection),
        image_processor=CLIPProcessor(CLIPImageProcessor(), clip_tokenizer()),
    )


def _save_wan_i2v(folder: Path, more: dict[str, Any] | None = None, **parts: Any) -> None:
    config = _WAN | {"in_channels": 36, "image_dim": 32, "added_kv_proj_dim": 24} | (more or {})
    transformer = seeded(lambda: WanTransformer3DModel(**config))
    WanImageToVideoPipeline(transformer=transformer, **parts, **_wan_parts()).save_pretrained(folder)


def save_wan22_t2v(folder: Path) -> None:
    """Wan 2.2 text-to-video, with a transformer for each range of noise."""
    first, second = (seeded(lambda: WanTransformer3DModel(**_WAN), seed) for seed in (0, 1))
    # The published boundary is 0.875; here the second of two steps is beyond it.
    WanPipeline(transformer=first, transformer_2=second, boundary_ratio=0.95, **_wan_parts()).save_pretrained(folder)


def save_wan22_i2v(folder: Path) -> None:
    """Wan 2.2 image-to-video, with a transformer for each range of noise and no image encoder."""
    first, second = (seeded(lambda: WanTransformer3DModel(**_WAN | {"in_channels": 36}), seed) for seed in (0, 1))
    WanImageToVideoPipeline(
        transformer=first, transformer_2=second, boundary_ratio=0.9, **_wan_parts()
    ).save_pretrained(folder)


def save_wan_ti2v(folder: Path) -> None:
    """Wan 2.2 text-and-image-to-video, published as a pipeline from words, with its VAE of 16 × 16 pixels."""
    transformer = seeded(lambda: WanTransformer3DModel(**_WAN | {"in_channels": 48, "out_channels": 48}))
    vae = {
        "base_dim": 4,
        "z_dim": 48,
        "latents_mean": [0.0] * 48,
        "latents_std": [1.0] * 48,
        "is_residual": True,
        "in_channels": 12,
        "out_channels": 12,
        "patch_size": 2,
        "scale_factor_spatial": 16,
    }
    WanPipeline(transformer=transformer, expand_timesteps=True, **_wan_parts(vae)).save_pretrained(folder)


def save_ltx(folder: Path) -> None:
    """LTX-Video, whose decoder removes a last noise."""
    transformer = seeded(
        lambda: LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=4,
            attention_head_dim=8,
            cross_attention_dim=32,
            num_layers=1,
            caption_channels=32,
        )
    )
    vae = seeded(
        lambda: AutoencoderKLLTXVideo(
            latent_channels=8,
            block_out_channels=(8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8, 8),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1, 1),
            spatio_temporal_scaling=(True, True, True, False),
            decoder_spatio_temporal_scaling=(True, True, True, False),
            decoder_inject_noise=(False, False, False, False, False),
            upsample_residual=(False, False, False, False),
            upsample_factor=(1, 1, 1, 1),
            timestep_conditioning=True,
            patch_size=4,
            patch_size_t=1,
            encoder_causal=True,
            decoder_causal=False,
        )
    )
    LTXConditionPipeline(
        transformer=transformer,
        vae=vae,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=t5_encoder(),
        tokenizer=t5_tokenizer(),
    ).save_pretrained(folder)


def save_wan_vace(folder: Path) -> None:
    """Wan 2.1 VACE."""
    transformer = seeded(lambda: WanVACETransformer3DModel(**_WAN, vace_layers=[0], vace_in_channels=96))
    WanVACEPipeline(transformer=transformer, **_wan_parts()).save_pretrained(folder)


def save_svd(folder: Path) -> None:
    """Stable Video Diffusion."""
    unet = seeded(
        lambda: UNetSpatioTemporalConditionModel(
            block_out_channels=(32, 32),
            layers_per_block=1,
            sample_size=32,
            in_channels=8,
            out_channels=4,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            cross_attention_dim=32,
            num_attention_heads=2,
            projection_class_embeddings_input_dim=24,
            addition_time_embed_dim=8,
        )
    )
    vae = seeded(
        lambda: AutoencoderKLTemporalDecoder(
            block_out_channels=(32,) * 4, down_block_types=("DownEncoderBlock2D",) * 4, latent_channels=4
        )
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_type="continuous",
        timestep_spacing="leading",
        sigma_min=0.002,
        sigma_max=700.0,
        use_karras_sigmas=True,
    )
    StableVideoDiffusionPipeline(
        vae=vae,
        image_encoder=_vision(CLIPVisionModelWithProjection),
        unet=unet,
        scheduler=scheduler,
        feature_extractor=CLIPImageProcessor(crop_size=224, size={"shortest_edge": 224}),
    ).save_pretrained(folder, variant="fp16")


def save_modelscope(folder: Path) -> None:
    """ModelScope text-to-video."""
    unet = seeded(
        lambda: UNet3DConditionModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            sample_size=32,
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
            cross_attention_dim=32,
            attention_head_dim=4,
            norm_num_groups=2,
        )
    )
    TextToVideoSDPipeline(
        vae=sd_vae(),
        text_encoder=clip_text_encoder(),
        tokenizer=clip_tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
    ).save_pretrained(folder)


def save_wan_lora(checkpoint: Path, folder: Path) -> Path:
    pipe = WanPipeline.from_pretrained(str(checkpoint), dtype=torch.float32)
    torch.manual_seed(1)
    config = LoraConfig(r=4, target_modules=["to_q", "to_v"], init_lora_weights=False)
    pipe.transformer.add_adapter(config)
    WanPipeline.save_lora_weights(
        str(folder), get_peft_model_state_dict(pipe.transformer), weight_name="distilled.safetensors"
    )
    return folder


SAVERS: dict[str, Callable[[Path], None]] = {
    "Wan2.1-T2V-14B": save_wan_t2v,
    "Wan2.1-T2V-1.3B": save_wan_t2v,
    "Wan2.1-I2V-14B-480P": save_wan_i2v,
    "Wan2.1-FLF2V-14B-720P": save_wan_flf2v,
    "Wan2.1-VACE-1.3B": save_wan_vace,
    "Wan2.2-T2V-A14B": save_wan22_t2v,
    "Wan2.2-I2V-A14B": save_wan22_i2v,
    "Wan2.2-TI2V-5B": save_wan_ti2v,
    "LTX-Video-0.9.5": save_ltx,
    "SVD-XT": save_svd,
    "SVD": save_svd,
    "ModelScope-T2V": save_modelscope,
    "Marigold": save_marigold,
}
