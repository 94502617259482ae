"""Prompt embeddings that are kept: the same words, prompt and negative prompt together, are encoded once."""

from collections import OrderedDict
from typing import Any

__all__ = ["keep_prompt_embeddings"]

# An embedding of FLUX takes 4 MB, one of Wan 4 MB.
_MAX_KEPT = 64
_PLAIN = (str, int, float, bool, type(None))


def keep_prompt_embeddings(pipe: Any) -> None:
    """Makes `pipe.encode_prompt` answer what it has answered before, for equal arguments without tensors, until
    `pipe.lumenmill_forget_embeddings` is called: they take the device's memory."""
    encode, kept = pipe.encode_prompt, OrderedDict[str, Any]()

    def encode_prompt(*args: Any, **kwargs: Any) -> Any:
        if not _is_plain([*args, *kwargs.values()]):
            return encode(*args, **kwargs)
        key = repr((_active_adapters(pipe), args, sorted(kwargs.items())))
        if key not in kept:
            kept[key] = encode(*args, **kwargs)
            while len(kept) > _MAX_KEPT:
                kept.popitem(last=False)
        kept.move_to_end(key)
        return kept[key]

    pipe.encode_prompt = encode_prompt
    pipe.lumenmill_forget_embeddings = kept.clear


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
