"""One OpenAI-compatible endpoint: requests with retries, structured output, token counts."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import openai

from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_common.errors import (
    FailedPreconditionError,
    LumenmillError,
    ResourceExhaustedError,
    UnavailableError,
)
from lumenmill_common.telemetry import get_logger
from lumenmill_prompter.families.openai_compatible.schema import Schema
from lumenmill_prompter.settings import PrompterSettings

__all__ = ["Answer", "Endpoint", "Message", "Usage"]

_log = get_logger(__name__)

Message = dict[str, str]


@dataclass
class Usage:
    """Tokens of one job, added up from several threads."""

    num_prompt_tokens: int = 0
    num_completion_tokens: int = 0
    num_requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, num_prompt_tokens: int, num_completion_tokens: int) -> None:
        """Add the tokens of one answer."""
        with self._lock:
            self.num_prompt_tokens += num_prompt_tokens
            self.num_completion_tokens += num_completion_tokens

    def count_request(self) -> None:
        """Add one request, answered or not."""
        with self._lock:
            self.num_requests += 1


@dataclass(frozen=True)
class Answer:
    """One answer: its text, and whether it was cut off at the token limit."""

    text: str
    truncated: bool
    refusal: str


class Endpoint:
    """Sends chat requests; shared by threads."""

    def __init__(self, settings: PrompterSettings) -> None:
        """Prepare a client; nothing is sent yet.

        Raises:
            FailedPreconditionError: the API key file cannot be read.
        """
        self._settings = settings
        self._client = openai.OpenAI(
            base_url=settings.openai_base_url,
            api_key=_api_key(settings),
            timeout=settings.openai_timeout_s,
            max_retries=0,
        )
        self._accepts_schema = True

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def usage_proto(self, usage: Usage) -> prompter_pb2.TokenUsage:
        """Return the usage with its cost, when both prices are set."""
        reported = prompter_pb2.TokenUsage(
            num_prompt_tokens=usage.num_prompt_tokens,
            num_completion_tokens=usage.num_completion_tokens,
            num_requests=usage.num_requests,
        )
        sent_price = self._settings.openai_usd_per_million_prompt_tokens
        received_price = self._settings.openai_usd_per_million_completion_tokens
        if sent_price is not None and received_price is not None:
            sent, received = usage.num_prompt_tokens * sent_price, usage.num_completion_tokens * received_price
            reported.cost_usd = (sent + received) / 1e6
        return reported

    def chat(
        self,
        messages: Sequence[Message],
        schema: Schema,
        seed: int,
        usage: Usage,
        check_cancelled: Callable[[], None],
    ) -> Answer:
        """Return one answer; network faults and rate limits are retried.

        Raises:
            ResourceExhaustedError: the endpoint keeps limiting the rate.
            UnavailableError: the endpoint cannot be reached or keeps failing.
            FailedPreconditionError: the endpoint rejects key, model or request permanently.
            CancelledError: the job was cancelled meanwhile.
        """
        for attempt in range(1, self._settings.openai_max_attempts + 1):
            check_cancelled()
            try:
                return self._once(messages, schema, seed, usage)
            except openai.BadRequestError as error:
                if not self._accepts_schema or not _is_about_response_format(error):
                    raise FailedPreconditionError(f"the endpoint refuses the request: {_reason(error)}") from error
                self._accepts_schema = False
                _log.info("endpoint does not accept a JSON schema; the schema is put into the prompt")
            except (openai.APIConnectionError, openai.APIStatusError) as error:
                delay_s = self._delay_s(error, attempt)
                if attempt == self._settings.openai_max_attempts:
                    raise _given_up(error, delay_s) from error
                _log.info(
                    "endpoint request failed; retrying",
                    attempt=attempt,
                    delay_s=round(delay_s, 2),
                    kind=type(error).__name__,
                )
                _sleep(delay_s, check_cancelled)
        raise UnavailableError("the endpoint accepts neither a JSON schema nor plain JSON within the allowed attempts")

    def _once(self, messages: Sequence[Message], schema: Schema, seed: int, usage: Usage) -> Answer:
        usage.count_request()
        started_s = time.monotonic()
        sent, response_format = _with_format(messages, schema, self._accepts_schema)
        completion = self._client.chat.completions.create(
            model=self._settings.openai_model,
            messages=sent,  # type: ignore[arg-type]  # plain dicts have the shape of the typed union
            response_format=response_format,
            temperature=self._settings.openai_temperature,
            seed=seed & 0x7FFFFFFF,
            max_completion_tokens=self._settings.openai_max_completion_tokens,
        )
        if completion.usage is not None:
            usage.add(completion.usage.prompt_tokens, completion.usage.completion_tokens)
        _log.info("endpoint answered", duration_s=round(time.monotonic() - started_s, 3), messages=len(sent))
        if not completion.choices:
            return Answer("", truncated=False, refusal="")
        choice = completion.choices[0]
        return Answer(choice.message.content or "", choice.finish_reason == "length", choice.message.refusal or "")

    def _delay_s(self, error: openai.APIError, attempt: int) -> float:
        """Seconds to wait: as the endpoint requests, else doubling from half a second."""
        if isinstance(error, openai.APIStatusError):
            if error.status_code < 500 and error.status_code not in {408, 409, 429}:
                raise FailedPreconditionError(_permanent(error)) from error
            retry_after = error.response.headers.get("retry-after", "")
            if retry_after.replace(".", "", 1).isdigit():
                return min(float(retry_after), self._settings.openai_max_backoff_s)
        return float(min(0.5 * 2.0 ** (attempt - 1), self._settings.openai_max_backoff_s))


def _api_key(settings: PrompterSettings) -> str:
    if settings.openai_api_key_file is None:
        return "none"
    try:
        return settings.openai_api_key_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise FailedPreconditionError(f"cannot read LUMENMILL_OPENAI_API_KEY_FILE: {error.strerror}") from error


def _with_format(messages: Sequence[Message], schema: Schema, accepts_schema: bool) -> tuple[list[Message], Any]:
    if accepts_schema:
        return list(messages), {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        }
    first, *rest = messages
    order = "Answer with one JSON object that conforms to this JSON schema, and nothing else:"
    content = f"{first['content']}\n\n{order}\n{json.dumps(schema)}"
    return [{**first, "content": content}, *rest], {"type": "json_object"}


def _is_about_response_format(error: openai.BadRequestError) -> bool:
    text = str(error).lower()
    return any(word in text for word in ("response_format", "json_schema", "schema", "structured"))


def _reason(error: openai.APIError) -> str:
    return str(error.message)[:300]


def _permanent(error: openai.APIStatusError) -> str:
    if error.status_code in {401, 403}:
        return "the endpoint refuses the API key; check LUMENMILL_OPENAI_API_KEY_FILE"
    if error.status_code == 404:
        return (
            "the endpoint does not know the model or path; check LUMENMILL_OPENAI_MODEL and LUMENMILL_OPENAI_BASE_URL"
        )
    return f"the endpoint refuses the request with status {error.status_code}: {_reason(error)}"


def _given_up(error: openai.APIError, delay_s: float) -> LumenmillError:
    if isinstance(error, openai.RateLimitError):
        return ResourceExhaustedError("the endpoint keeps limiting the rate", retry_delay_s=max(delay_s, 1.0))
    if isinstance(error, openai.APITimeoutError):
        return UnavailableError("the endpoint does not answer in time")
    if isinstance(error, openai.APIStatusError):
        return UnavailableError(f"the endpoint keeps failing with status {error.status_code}")
    return UnavailableError("the endpoint cannot be reached")


def _sleep(delay_s: float, check_cancelled: Callable[[], None]) -> None:
    end_s = time.monotonic() + delay_s
    while (left_s := end_s - time.monotonic()) > 0.0:
        check_cancelled()
        time.sleep(min(left_s, 0.1))
