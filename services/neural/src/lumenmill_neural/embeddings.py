"""Prompt embeddings that are kept: the same words, prompt and negative prompt together, are encoded once."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["keep_prompt_embeddings"]

# An embedding of FLUX takes 4 MB, one of Wan with its negative prompt's 8 MB: the words of some sixty requests.
MAX_KEPT_BYTES = 256 << 20
_PLAIN = (str, int, float, bool, type(None))


def keep_prompt_embeddings(pipe: Any) -> None:
    """Makes `pipe.encode_prompt` answer what it has answered before, for equal arguments without tensors, until
    `pipe.lumenmill_forget_embeddings` is called: they take the device's memory, at most `MAX_KEPT_BYTES` of it."""
    encode, kept, sizes_bytes = pipe.encode_prompt, OrderedDict[str, Any](), dict[str, int]()

    def forget() -> None:
        kept.clear()
        sizes_bytes.clear()

    def encode_prompt(*args: Any, **kwargs: Any) -> Any:
        if not _is_plain([*args, *kwargs.values()]):
            return encode(*args, **kwargs)
        key = repr((_active_adapters(pipe), args, sorted(kwargs.items())))
        if key in kept:
            kept.move_to_end(key)
            return kept[key]
        made = encode(*args, **kwargs)
        kept[key], sizes_bytes[key] = made, sum(tensor.nbytes for tensor in _tensors(made))
        while sum(sizes_bytes.values()) > MAX_KEPT_BYTES:
            oldest, _ = kept.popitem(last=False)
            del sizes_bytes[oldest]
        return made

    pipe.encode_prompt = encode_prompt
    pipe.lumenmill_forget_embeddings = forget


def _tensors(made: Any) -> Iterator[torch.Tensor]:
    if isinstance(made, torch.Tensor):
        yield made
    elif isinstance(made, (tuple, list)):
        for part in made:
            yield from _tensors(part)


def _is_plain(values: list[Any]) -> bool:
    return all(
        isinstance(value, _PLAIN)
        or str(type(value)) == "<class 'torch.device'>"
        or (isinstance(value, list) and _is_plain(value))
        for value in values
    )


def _active_adapters(pipe: Any) -> tuple[str, ...]:
    """Adapters may change text encoders too."""
    return tuple(sorted(getattr(pipe, "lumenmill_active_adapters", ())))
