"""What an endpoint says in the body of an error, whatever its shape: its words, its codes, and an answer that it
rejected."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lumenmill_prompter.families.openai_compatible.surrogates import without_surrogates

__all__ = ["Statement", "is_html", "statement_of"]

_MAX_WORDS = 400
# Keys of readable text. Other keys can repeat the request (`input` of FastAPI), and are neither shown nor searched.
_WORDS = frozenset(
    {"message", "msg", "detail", "details", "error", "errors", "reason", "description", "title", "raw", "error_msg"}
    | {"error_message", "error_description", "errmsg", "status_msg", "faultstring"}
)
_CODES = frozenset({"code", "type", "status", "param", "error_code", "error_type", "status_code", "errcode"})


@dataclass(frozen=True)
class Statement:
    """What one body says.

    Attributes:
        words: readable text in one line; of a page in HTML its text.
        codes: machine-readable codes, types and names of parameters, in lower case.
        status: the HTTP status that the body names, else None.
        rejected_answer: what the model wrote, where the endpoint rejects that; else None.
    """

    words: str
    codes: frozenset[str] = frozenset()
    status: int | None = None
    rejected_answer: str | None = None

    @property
    def searchable(self) -> str:
        """Words and codes in lower case."""
        return " ".join([self.words.lower(), *sorted(self.codes)])


def statement_of(text: str, secret: str = "") -> Statement:
    """Return what the body of an error says; `secret` is redacted."""
    try:
        document = without_surrogates(json.loads(text))
        leaves = list(_leaves(document, ""))
    except (ValueError, RecursionError):
        return Statement(_line([_without_tags(text)], secret))
    if isinstance(document, str):
        return Statement(_line([document], secret))
    codes = [value for key, value in leaves if key in _CODES]
    statuses = [int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)]
    rejected = [value for key, value in leaves if key == "failed_generation"]
    return Statement(
        _line([value for key, value in leaves if key in _WORDS], secret),
        frozenset(code.lower() for code in codes),
        statuses[0] if statuses else None,
        rejected[0] if rejected else None,
    )


def is_html(text: str) -> bool:
    """Return whether a body is a page rather than an answer."""
    return text.lstrip().startswith("<")


def _leaves(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield the texts and whole numbers of a document with their keys; FastAPI's `loc` is put before its `msg`."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield (key, str(value)) if key in _CODES else ("", str(value))
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry, key)
    elif isinstance(value, dict):
        place = value.get("loc")
        for name, entry in value.items():
            if name == "msg" and isinstance(place, list):
                yield name, f"{'.'.join(map(str, place))}: {entry}"
            elif name not in {"loc", "input", "ctx"}:
                yield from _leaves(entry, name)


def _line(texts: list[str], secret: str) -> str:
    line = "; ".join(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))
    if secret:
        line = line.replace(secret, "…")
    return line if len(line) <= _MAX_WORDS else f"{line[:_MAX_WORDS]} …"


def _without_tags(text: str) -> str:
    if not is_html(text):
        return text
    shown = re.sub(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return html.unescape(re.sub(r"<[^>]*>", " ", shown))
