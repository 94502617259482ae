"""For tests: tokenizers of a few hundred words that save and load as real ones do."""

from typing import Any

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

__all__ = ["clip_text_encoder", "clip_tokenizer", "seeded", "t5_encoder", "t5_tokenizer"]

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
