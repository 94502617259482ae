"""Tiny tokenizers, text encoders and parts of Qwen-Image, as those of `lumenmill_neural.testing`."""

from typing import Any

from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer, Qwen3Config
from transformers.convert_slow_tokenizer import bytes_to_unicode

from lumenmill_neural.testing import seeded

__all__ = [
    "QWEN_WIDTH",
    "qwen2_5_vl",
    "qwen3",
    "qwen_image_transformer",
    "qwen_image_vae",
    "qwen_tokenizer",
]

QWEN_WIDTH = 16
"""Channels of the outputs of the text encoders."""

_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXT: dict[str, Any] = {
    "hidden_size": QWEN_WIDTH,
    "intermediate_size": 2 * QWEN_WIDTH,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 4096,
}


def qwen_tokenizer() -> Qwen2Tokenizer:
    """Return a tokenizer whose tokens are bytes, and those of chats and pictures, with a template of chats."""
    vocab = {token: index for index, token in enumerate([*bytes_to_unicode().values(), *_SPECIAL])}
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": _SPECIAL[1:]})
    tokenizer.chat_template = _TEMPLATE
    return tokenizer


def qwen3(model: Any, num_layers: int) -> Any:
    """Return a Qwen3 of the class `model`, for the tokens of `qwen_tokenizer`."""
    config = Qwen3Config(**_TEXT, vocab_size=len(qwen_tokenizer()), num_hidden_layers=num_layers)
    return seeded(lambda: model(config))


def qwen2_5_vl() -> Qwen2_5_VLForConditionalGeneration:
    """Return Qwen2.5-VL with two layers for text and two for pictures, for the tokens of `qwen_tokenizer`."""
    tokenizer = qwen_tokenizer()
    image_id = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    config = Qwen2_5_VLConfig(
        text_config={
            **_TEXT,
            "vocab_size": len(tokenizer),
            "num_hidden_layers": 2,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e6},
        },
        vision_config={
            "depth": 2,
            "hidden_size": QWEN_WIDTH,
            "intermediate_size": QWEN_WIDTH,
            "num_heads": 2,
            "out_hidden_size": QWEN_WIDTH,
            "fullatt_block_indexes": [1],
        },
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        image_token_id=image_id,
        vision_token_id=image_id,
        video_token_id=0,
    )
    return seeded(lambda: Qwen2_5_VLForConditionalGeneration(config))


def qwen_image_vae(*, base_dim: int, dim_mult: list[int]) -> AutoencoderKLQwenImage:
    """Return the autoencoder of Qwen-Image, with `base_dim` × `dim_mult` channels at each of its levels; each level
    after the first has half the width of the one before."""
    return seeded(
        lambda: AutoencoderKLQwenImage(
            base_dim=base_dim,
            z_dim=4,
            dim_mult=dim_mult,
            num_res_blocks=1,
            temperal_downsample=[False, True, True][: len(dim_mult) - 1],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        )
    )


def qwen_image_transformer() -> QwenImageTransformer2DModel:
    """Return the denoiser of Qwen-Image with one layer; a token has 2 × 2 latents."""
    return seeded(
        lambda: QwenImageTransformer2DModel(
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=QWEN_WIDTH,
            axes_dims_rope=(4, 6, 6),
        )
    )
