"""For tests, and for benchmarks where there is no GPU: pipelines of a megabyte with weights drawn from a seed. They
save and load as the real ones do, and have the same parts."""

from typing import Any

from diffusers import (
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextModelWithProjection

from lumenmill_neural.testing import (
    clip_text_encoder,
    clip_tokenizer,
    sd_unet,
    sd_vae,
    seeded,
    t5_encoder,
    t5_tokenizer,
)

__all__ = ["sdxl_scheduler", "tiny_flux", "tiny_sdxl", "xl_unet"]


def tiny_flux(*, guidance_embeds: bool = True, num_blocks: int = 1, vae_width: int = 8) -> FluxPipeline:
    """FLUX.1 with as many blocks of each kind; without `guidance_embeds` it is as schnell. Its pictures are twice as
    wide as its latents, whose tokens are 2 × 2 of them."""
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
    """SDXL with both of its text encoders."""
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
    """A UNet as SDXL's: conditioned by words, by a pooled text embedding, and by six numbers about size and crop."""
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
    """As SDXL's checkpoint has it."""
    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )
