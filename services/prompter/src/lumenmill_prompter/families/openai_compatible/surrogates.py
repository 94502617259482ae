"""Halves of surrogate pairs, which JSON may escape and neither UTF-8 nor protobuf can hold."""

import json
from typing import Any

__all__ = ["without_surrogates"]


def without_surrogates(document: Any) -> Any:
    """Return what a JSON text held, with halves of surrogate pairs replaced by question marks.

    Raises:
        RecursionError: the document is too deep.
    """
    text = json.dumps(document, ensure_ascii=False)
    return document if text.isascii() else json.loads(text.encode("utf-8", "replace"))
