"""A cache of prompt embeddings: the same prompt and negative prompt are encoded once."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["cache_prompt_embeddings"]

# An embedding takes 4 MB in FLUX, 8 MB with its negative prompt in Wan: enough for about sixty requests.
MAX_CACHE_BYTES = 256 << 20
_PLAIN = (str, int, float, bool, type(None))


def cache_prompt_embeddings(pipe: Any) -> None:
    """Make `pipe.encode_prompt` cache its results, for arguments without tensors. They take at most `MAX_CACHE_BYTES`
    of the device's memory; `pipe.lumenmill_clear_embeddings` clears them."""
    encode, cached, sizes_bytes = pipe.encode_prompt, OrderedDict[str, Any](), dict[str, int]()

    def clear() -> None:
        cached.clear()
        sizes_bytes.clear()

    def encode_prompt(*args: Any, **kwargs: Any) -> Any:
        if not _is_plain([*args, *kwargs.values()]):
            return encode(*args, **kwargs)
        key = repr((_active_adapters(pipe), args, sorted(kwargs.items())))
        if key in cached:
            cached.move_to_end(key)
            return cached[key]
        embeddings = encode(*args, **kwargs)
        cached[key], sizes_bytes[key] = embeddings, sum(tensor.nbytes for tensor in _tensors(embeddings))
        while sum(sizes_bytes.values()) > MAX_CACHE_BYTES:
            oldest, _ = cached.popitem(last=False)
            del sizes_bytes[oldest]
        return embeddings

    pipe.encode_prompt = encode_prompt
    pipe.lumenmill_clear_embeddings = clear


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _is_plain(values: list[Any]) -> bool:
    return all(
        isinstance(value, _PLAIN)
        or str(type(value)) == "<class 'torch.device'>"
        or (isinstance(value, list) and _is_plain(value))
        for value in values
    )


def _active_adapters(pipe: Any) -> tuple[str, ...]:
    """Return the active adapters, which may change text encoders too."""
    return tuple(sorted(getattr(pipe, "lumenmill_active_adapters", ())))
