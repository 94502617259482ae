"""JSON that comes in, as text that protos and file names can hold."""

import json
from typing import Any


def parsed(data: bytes) -> Any:
    """The value of JSON bytes.

    Raises:
        ValueError: not JSON, or JSON whose escapes write half of a surrogate pair or the character NUL.
        RecursionError: nested too deep.
    """
    value = json.loads(data)
    text = json.dumps(value, ensure_ascii=False)
    text.encode()
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("holds the character NUL")
    return value
