"""The body of a chat completion, read as leniently as it can be without guessing."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lumenmill_prompter.families.openai_compatible.failure import EndpointError, FailureKind
from lumenmill_prompter.families.openai_compatible.statement import Statement, is_html, statement_of
from lumenmill_prompter.families.openai_compatible.surrogates import without_surrogates

__all__ = ["Answer", "Completion", "read_completion"]

_STREAM = re.compile(r"\s*(?:data|event|id|):")
_CUT_OFF = {"length", "max_tokens", "model_length", "max_output_tokens"}
_FILTERED = {"content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii", "sensitive"}
_FAILED = {"error", "insufficient_system_resource", "network_error"}
# Statuses for errors in a 200 that have only a code.
_STATUS_OF_CODES = (
    (re.compile(r"rate_?limit|too_many_requests|resource_exhausted|throttl"), 429),
    (re.compile(r"api_?key|authentication|unauthori[sz]ed|permission"), 401),
    (re.compile(r"not_?found"), 404),
    (re.compile(r"invalid_?(?:request|argument|param)|bad_?request|context_length|unsupported"), 400),
)


@dataclass(frozen=True)
class Answer:
    """One answer of the model.

    Attributes:
        text: what it wrote.
        truncated: whether it was cut off at the token limit.
        refusal: why the model does not answer, in its words.
        shortfall: what the endpoint says or shows to be missing: no content, or a filter that stopped the answer.
    """

    text: str
    truncated: bool = False
    refusal: str = ""
    shortfall: str = ""


@dataclass(frozen=True)
class Completion:
    """An answer with its tokens; None where the endpoint does not say."""

    answer: Answer
    num_prompt_tokens: int | None
    num_completion_tokens: int | None


def read_completion(body: bytes, secret: str = "") -> Completion:
    """Return what the body of an answer with status 200 holds; `secret` never appears in errors.

    Raises:
        EndpointError: it is no chat completion, or reports an error.
    """
    text = body.decode("utf-8-sig", "replace")
    try:
        return _completion(text, secret)
    except (ValueError, RecursionError) as error:
        kind = FailureKind.NO_COMPLETION if is_html(text) else FailureKind.BROKEN_BODY
        raise EndpointError(kind, statement_of(text, secret)) from error


def _completion(text: str, secret: str) -> Completion:
    """Return the completion of a body.

    Raises:
        EndpointError: it is no chat completion, or reports an error.
        RecursionError: it is nested too deeply.
        ValueError: it is no JSON.
    """
    document = without_surrogates(_joined(text) if _STREAM.match(text) else json.loads(text, strict=False))
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        raise _no_completion(text, secret)
    choice = _choice(document.get("choices"))
    reason = str(choice.get("finish_reason") or "").lower()
    answer = _answer(choice, reason)
    if not answer.text or reason in _FAILED:
        _check_error(json.dumps(document), document, choice, secret)
    sent, received = _tokens(document.get("usage"))
    return Completion(answer, sent, received)


def _check_error(text: str, document: Mapping[str, Any], choice: Mapping[str, Any], secret: str) -> None:
    """Raise the error that a body without a whole answer reports, or that it is no completion."""
    said = statement_of(text, secret)
    reports = document.get("error") or choice.get("error") or str(choice.get("finish_reason")).lower() in _FAILED
    if reports or (not choice and said.words):
        raise EndpointError(FailureKind.STATUS, said, said.status or _status_of(said))
    if "choices" not in document:
        raise _no_completion(text, secret)


def _no_completion(text: str, secret: str) -> EndpointError:
    excerpt = " ".join((text.replace(secret, "…") if secret else text)[:200].split())
    return EndpointError(FailureKind.NO_COMPLETION, Statement(excerpt))


def _joined(text: str) -> dict[str, Any]:
    """Return the completion that a stream of events adds up to; some endpoints stream without being asked to.

    Raises:
        ValueError: an event is no JSON object.
    """
    lines = [line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:")]
    events = [json.loads(line, strict=False) for line in lines if line != "[DONE]"]
    if not all(isinstance(event, dict) for event in events):
        raise ValueError("an event is no object")
    choices = [_choice(event.get("choices")) for event in events]
    whole: dict[str, Any] = {"choices": [{"message": {"content": "".join(map(_content, choices))}}]}
    for choice in choices:
        whole["choices"][0] |= {"finish_reason": choice["finish_reason"]} if choice.get("finish_reason") else {}
    for event in events:
        whole |= {key: event[key] for key in ("usage", "error") if event.get(key)}
    return whole


def _choice(choices: Any) -> Mapping[str, Any]:
    """Return the first choice that has content, else the first, else nothing."""
    listed = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    return next(filter(_content, listed), (listed or [{}])[0])


def _content(choice: Mapping[str, Any]) -> str:
    return _text(_message(choice).get("content"))


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    message = choice.get("message") or choice.get("delta") or choice.get("text")
    return message if isinstance(message, dict) else {"content": message}


def _text(content: Any) -> str:
    """Return the text of a content that is a text, a part or a list of parts, without the parts of reasoning."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part) for part in content)
    if not isinstance(content, dict) or str(content.get("type")) in {"thinking", "reasoning", "refusal"}:
        return ""
    for key in ("text", "value", "content"):
        if key in content:
            return _text(content[key])
    # The object that was requested, which some endpoints do not serialize again.
    return "" if "type" in content else json.dumps(content)


def _answer(choice: Mapping[str, Any], reason: str) -> Answer:
    message = _message(choice)
    text = _content(choice)
    shortfall = ""
    if reason in _FILTERED or reason.startswith("content_filter"):
        shortfall = f"the content filter of the endpoint stopped the answer (finish reason {reason})"
    elif not text.strip():
        shortfall = f"the answer has no content (finish reason {reason or 'not given'})"
    return Answer(text, reason in _CUT_OFF, _refusal(message), shortfall)


def _refusal(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return next((found for part in (message, *parts) if isinstance(found := part.get("refusal"), str)), "")


def _status_of(said: Statement) -> int:
    return next((status for words, status in _STATUS_OF_CODES if any(map(words.search, said.codes))), 200)


def _tokens(usage: Any) -> tuple[int | None, int | None]:
    if not isinstance(usage, dict):
        return None, None
    sent = _count(usage.get("prompt_tokens", usage.get("input_tokens")))
    return sent, _count(usage.get("completion_tokens", usage.get("output_tokens")))


def _count(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15:
        return int(value)
    return None
