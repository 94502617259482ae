"""Checkpoints of a megabyte, with weights drawn from a seed, that load as the real ones do."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    GotOcr2ImageProcessorPil,
    InternVLConfig,
    InternVLForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
    SiglipVisionModel,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

_CHAT = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_QWEN = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
_INTERNVL = ["<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "use_cache": True,
}


_VISION = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 28,
    "patch_size": 14,
}


def _tokenizer(special: list[str], image: str, **names: str) -> Qwen2Tokenizer:
    """Byte by byte."""
    vocab = {character: index for index, character in enumerate(bytes_to_unicode().values())}
    vocab |= {word: len(vocab) + index for index, word in enumerate([*_CHAT, *special])}
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=[], extra_special_tokens=names or special)
    tokenizer.eos_token = "<|im_end|>"  # noqa: S105 - no password
    tokenizer.add_special_tokens({"additional_special_tokens": [*_CHAT, *special]}, replace_extra_special_tokens=False)
    tokenizer.chat_template = _TEMPLATE.replace("IMAGE", image)
    return tokenizer


def _save(folder: Path, model_class: Any, config: Any, tokenizer: Any, image_processor: Any) -> None:
    torch.manual_seed(3)
    model = model_class(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    image_processor.save_pretrained(folder)


def _qwen_ids(tokenizer: Any) -> dict[str, int]:
    names = ("vision_start", "vision_end", "image", "video")
    ids = (tokenizer.convert_tokens_to_ids(word) for word in _QWEN)
    return {f"{name}_token_id": index for name, index in zip(names, ids, strict=True)}


def _qwen(folder: Path, model_class: Any, config_class: Any, patch_size: int, **vision: Any) -> None:
    tokenizer = _tokenizer(_QWEN, "<|vision_start|><|image_pad|><|vision_end|>")
    shape = {"depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
    config = config_class(
        text_config={
            **_TEXT,
            "vocab_size": len(tokenizer),
            "head_dim": 8,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e6},
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**shape, "patch_size": patch_size, "spatial_merge_size": 2, **vision},
        **_qwen_ids(tokenizer),
    )
    processor = Qwen2VLImageProcessorPil(
        patch_size=patch_size, merge_size=2, size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    )
    _save(folder, model_class, config, tokenizer, processor)


def save_qwen2_5_vl(folder: Path) -> None:
    """Qwen2.5-VL."""
    _qwen(folder, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLConfig, 14, fullatt_block_indexes=[1], window_size=56)


def save_qwen3_vl(folder: Path) -> None:
    """Qwen3-VL."""
    _qwen(
        folder,
        Qwen3VLForConditionalGeneration,
        Qwen3VLConfig,
        16,
        deepstack_visual_indexes=[0],
        num_position_embeddings=64,
    )


def save_internvl(folder: Path) -> None:
    """InternVL3 in the form of transformers. Its pictures are cut into tiles of 28 pixels, each of 1 token."""
    names = ("start_image_token", "end_image_token", "context_image_token", "video_token")
    tokenizer = _tokenizer(_INTERNVL, "<IMG_CONTEXT>\n", **dict(zip(names, _INTERNVL, strict=True)))
    config = InternVLConfig(
        text_config={
            **_TEXT,
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "image_size": [28, 28],
            "patch_size": [14, 14],
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=1,
        tie_word_embeddings=False,
    )
    size = {"height": 28, "width": 28}
    processor = GotOcr2ImageProcessorPil(size=size, crop_to_patches=True, min_patches=1, max_patches=4)
    _save(folder, InternVLForConditionalGeneration, config, tokenizer, processor)
    facts = {"processor_class": "InternVLProcessor", "image_seq_length": 1}
    (folder / "processor_config.json").write_text(json.dumps(facts))


def save_clip(folder: Path) -> None:
    """CLIP's vision model with a projection to 16 numbers."""
    torch.manual_seed(1)
    config = CLIPVisionConfig(**_VISION, projection_dim=16)
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    side = {"height": 28, "width": 28}
    CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size=side).save_pretrained(folder)


def save_siglip(folder: Path) -> None:
    """SigLIP's vision model."""
    torch.manual_seed(2)
    SiglipVisionModel(SiglipVisionConfig(**_VISION)).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 28, "width": 28}).save_pretrained(folder)


PARTS = {"clip": save_clip, "siglip": save_siglip}
SAVERS = {
    "Qwen2.5-VL-7B": save_qwen2_5_vl,
    "Qwen3-VL-8B": save_qwen3_vl,
    "InternVL3-8B": save_internvl,
}
