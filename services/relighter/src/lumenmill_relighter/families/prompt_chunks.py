"""Prompts of any length for Stable Diffusion, whose text encoder takes 75 tokens: encoded in chunks instead of cut off.

As gradio_demo.py of IC-Light does it.
"""

from collections.abc import Sequence
from typing import Any

import torch

__all__ = ["encode_in_chunks", "num_chunks"]


def num_chunks(tokenizer: Any, text: str) -> int:
    """Return the number of chunks of a text, at least 1."""
    return len(_chunks(tokenizer, text))


def encode_in_chunks(
    pipe: Any,
    prompt: Sequence[str],
    device: torch.device,
    num_images_per_prompt: int,
    do_classifier_free_guidance: bool,
    negative_prompt: Sequence[str],
    **_: object,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the embeddings (B, N × 77, D) of prompts and of negative prompts, in place of `pipe.encode_prompt`.

    N is the number of chunks of the longest of them; a shorter one is repeated, and cut off, to the same length. Chunks
    are encoded one by one: a word that runs over the end of a chunk is divided.
    """
    positive, negative = ([_chunks(pipe.tokenizer, text) for text in texts] for texts in (prompt, negative_prompt))
    length = max(map(len, positive + negative))
    embeddings = _encoded(pipe.text_encoder, positive, length, device)
    if not do_classifier_free_guidance:
        return embeddings, None
    return embeddings, _encoded(pipe.text_encoder, negative, length, device)


def _chunks(tokenizer: Any, text: str) -> list[list[int]]:
    """Return the tokens of a text in chunks of the length that the text encoder takes; the end token fills the last."""
    tokens = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    start, end, length = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.model_max_length - 2
    parts = [tokens[first : first + length] for first in range(0, max(len(tokens), 1), length)]
    return [[start, *part, *[end] * (length + 1 - len(part))] for part in parts]


def _encoded(text_encoder: Any, texts: list[list[list[int]]], length: int, device: torch.device) -> torch.Tensor:
    tokens = torch.tensor([chunks[index % len(chunks)] for chunks in texts for index in range(length)], device=device)
    return torch.as_tensor(text_encoder(tokens).last_hidden_state).unflatten(0, (len(texts), length)).flatten(1, 2)
