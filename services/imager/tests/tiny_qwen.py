"""Tiny checkpoints of the models whose text encoder is a Qwen, saved in the layout of the real ones."""

from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

from lumenmill_neural.testing import sd_vae, seeded

__all__ = ["save_flux2_klein", "save_qwen_image", "save_z_image"]

_WIDTH = 16
_CHAT = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXT: dict[str, Any] = {
    "hidden_size": _WIDTH,
    "intermediate_size": 2 * _WIDTH,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 4096,
}
# Of the encoder, FLUX.2 [klein] takes the outputs of layers 9, 18 and 27.
_NUM_LAYERS = 27


def _tokenizer() -> Qwen2Tokenizer:
    """Return a tokenizer whose tokens are bytes."""
    vocab = {character: index for index, character in enumerate([*bytes_to_unicode().values(), *_CHAT])}
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=[])
    tokenizer.chat_template = _TEMPLATE
    return tokenizer


def _qwen3(model_class: Any, num_layers: int) -> Any:
    config = Qwen3Config(**_TEXT, vocab_size=len(_tokenizer()), num_hidden_layers=num_layers)
    return seeded(lambda: model_class(config))


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
            joint_attention_dim=3 * _WIDTH,
            timestep_guidance_channels=32,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        )
    )
    Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=_qwen3(Qwen3ForCausalLM, _NUM_LAYERS),
        tokenizer=_tokenizer(),
        transformer=transformer,
        is_distilled=True,
    ).save_pretrained(folder)


def save_qwen_image(folder: Path) -> None:
    """Qwen-Image."""
    config = Qwen2_5_VLConfig(
        text_config={
            **_TEXT,
            "vocab_size": len(_tokenizer()),
            "num_hidden_layers": 2,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e6},
        },
        vision_config={
            "depth": 1,
            "hidden_size": _WIDTH,
            "intermediate_size": _WIDTH,
            "num_heads": 2,
            "out_hidden_size": _WIDTH,
        },
    )
    vae = seeded(
        lambda: AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2],
            num_res_blocks=1,
            temperal_downsample=[False],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        )
    )
    transformer = seeded(
        lambda: QwenImageTransformer2DModel(
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=_WIDTH,
            axes_dims_rope=(4, 6, 6),
        )
    )
    QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=seeded(lambda: Qwen2_5_VLForConditionalGeneration(config)),
        tokenizer=_tokenizer(),
        transformer=transformer,
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
            cap_feat_dim=_WIDTH,
            axes_dims=[4, 6, 6],
            axes_lens=[1024, 128, 128],
        )
    )
    ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False, shift=3.0),
        vae=sd_vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1159, scaling_factor=0.3611),
        text_encoder=_qwen3(Qwen3Model, 2),
        tokenizer=_tokenizer(),
        transformer=transformer,
    ).save_pretrained(folder)
