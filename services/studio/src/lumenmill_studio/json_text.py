"""Parse JSON from outside into values that protos and file names can hold."""

import json
from typing import Any

__all__ = ["parsed"]


def parsed(data: bytes) -> Any:
    """Return the value of JSON bytes.

    Raises:
        ValueError: not JSON, or JSON with an escaped lone surrogate or NUL character.
        RecursionError: it is nested too deeply.
    """
    value = json.loads(data)
    text = json.dumps(value, ensure_ascii=False)
    text.encode()
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("holds the character NUL")
    return value
