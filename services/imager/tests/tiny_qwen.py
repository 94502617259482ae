"""Tiny checkpoints of the models whose text encoder is a Qwen, saved in the layout of the real ones."""

from pathlib import Path

from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    QwenImagePipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from transformers import Qwen3ForCausalLM, Qwen3Model

from lumenmill_neural.testing import sd_vae, seeded
from lumenmill_neural.testing_qwen import (
    QWEN_WIDTH,
    qwen2_5_vl,
    qwen3,
    qwen_image_transformer,
    qwen_image_vae,
    qwen_tokenizer,
)

__all__ = ["save_flux2_klein", "save_qwen_image", "save_z_image"]

# Of the encoder, FLUX.2 [klein] takes the outputs of layers 9, 18 and 27.
_NUM_LAYERS = 27


def save_flux2_klein(folder: Path) -> None:
    """FLUX.2 [klein]."""
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    vae = seeded(
        lambda: AutoencoderKLFlux2(
            **blocks,
            block_out_channels=(8, 8),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=64,
        )
    )
    transformer = seeded(
        lambda: Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * QWEN_WIDTH,
            timestep_guidance_channels=32,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        )
    )
    Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=qwen3(Qwen3ForCausalLM, _NUM_LAYERS),
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
        is_distilled=True,
    ).save_pretrained(folder)


def save_qwen_image(folder: Path) -> None:
    """Qwen-Image."""
    QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=qwen_image_vae(base_dim=8, dim_mult=[1, 2]),
        text_encoder=qwen2_5_vl(),
        tokenizer=qwen_tokenizer(),
        transformer=qwen_image_transformer(),
    ).save_pretrained(folder)


def save_z_image(folder: Path) -> None:
    """Z-Image-Turbo."""
    transformer = seeded(
        lambda: ZImageTransformer2DModel(
            in_channels=4,
            dim=32,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=QWEN_WIDTH,
            axes_dims=[4, 6, 6],
            axes_lens=[1024, 128, 128],
        )
    )
    ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False, shift=3.0),
        vae=sd_vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1159, scaling_factor=0.3611),
        text_encoder=qwen3(Qwen3Model, 2),
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
    ).save_pretrained(folder)
