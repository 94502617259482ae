"""The JSON object of an answer that may have reasoning, prose and fences around it."""

import json
import re
from typing import Any

from lumenmill_prompter.families.openai_compatible.surrogates import without_surrogates

__all__ = ["find_object"]

_REASONING = re.compile(r"<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
# Templates that open the reasoning in the prompt leave only its end in the answer.
_END_OF_REASONING = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
# Unescaped line breaks in texts are accepted: models write them, and they are unambiguous.
_DECODER = json.JSONDecoder(strict=False)


def find_object(text: str, key: str) -> dict[str, Any] | None:
    """Return the object of a text that has a list `key`: the last, as drafts come first; else the last of all; else
    None."""
    whole = _decoded(text.strip().removeprefix("\ufeff"))
    if isinstance(whole, dict):
        return whole
    spoken = _REASONING.sub("", text)
    found = _objects(_END_OF_REASONING.split(spoken)[-1]) or _objects(spoken)
    with_list = [entry for entry in found if isinstance(entry.get(key), list) and entry[key]]
    return next(reversed(with_list or found), None)


def _decoded(text: str) -> Any:
    try:
        return without_surrogates(_DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def _objects(text: str) -> list[dict[str, Any]]:
    """Return the outermost objects of a text, in their order."""
    found, start = list[dict[str, Any]](), text.find("{")
    while start >= 0:
        try:
            entry, end = _DECODER.raw_decode(text, start)
            found.append(without_surrogates(entry))
        except (ValueError, RecursionError):
            end = start + 1
        start = text.find("{", end)
    return found
