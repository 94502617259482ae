"""One OpenAI-compatible endpoint: requests with retries, in the form that its model accepts."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import openai

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.loopback import is_loopback
from lumenmill_common.secret_files import read_secret
from lumenmill_common.telemetry import get_logger
from lumenmill_prompter.families.openai_compatible.completion import Answer, read_completion
from lumenmill_prompter.families.openai_compatible.failure import EndpointError, FailureKind, retry_after_s
from lumenmill_prompter.families.openai_compatible.parameters import AcceptedParameters
from lumenmill_prompter.families.openai_compatible.schema import Schema
from lumenmill_prompter.families.openai_compatible.statement import Statement, statement_of
from lumenmill_prompter.families.openai_compatible.usage import Usage
from lumenmill_prompter.settings import PrompterSettings

__all__ = ["Endpoint", "Message"]

_log = get_logger(__name__)

Message = dict[str, str]


class Endpoint:
    """Sends chat requests; shared by threads."""

    def __init__(self, settings: PrompterSettings, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Prepare a client; nothing is sent yet. Refused parameters are tried again after a time measured by `clock_s`.

        Raises:
            FailedPreconditionError: the API key file cannot be read, or has no key.
        """
        self._settings = settings
        self._key = _api_key(settings)
        self._client = openai.OpenAI(
            base_url=settings.openai_base_url,
            api_key=self._key or "none",
            timeout=settings.openai_timeout_s,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(mounts=_direct(settings.openai_base_url)),
        )
        self._accepted = AcceptedParameters(settings.openai_model, settings.openai_temperature, clock_s)

    @property
    def name(self) -> str:
        """The endpoint as errors name it: its URL without a password."""
        parts = urlsplit(self._settings.openai_base_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def chat(
        self,
        messages: Sequence[Message],
        schema: Schema,
        seed: int,
        usage: Usage,
        check_cancelled: Callable[[], None],
    ) -> Answer:
        """Return one answer; network faults and rate limits are retried, and refused parameters are left out.

        Raises:
            ResourceExhaustedError: the endpoint keeps limiting the rate.
            UnavailableError: the endpoint cannot be reached or keeps failing.
            FailedPreconditionError: the endpoint rejects key, model or request permanently.
            CancelledError: the job was cancelled meanwhile.
        """
        num_failures = 0
        while True:
            check_cancelled()
            sent = self._accepted.sent()
            try:
                return self._once(messages, schema, seed, sent, usage)
            except EndpointError as failure:
                if failure.is_about_the_answer:
                    usage.add(None, None)
                    return Answer(failure.said.rejected_answer or "", shortfall=failure.said.words)
                if self._accepted.learn(sent, failure):
                    continue
                num_failures += 1
                if not failure.is_transient or num_failures == self._settings.openai_max_attempts:
                    raise failure.error(self.name) from failure
                delay_s = self._delay_s(failure, num_failures)
                fields = {"attempt": num_failures, "delay_s": round(delay_s, 2), "kind": failure.kind.name.lower()}
                _log.info("endpoint request failed; retrying", status=failure.status, **fields)
                _sleep(delay_s, check_cancelled)

    def _once(
        self, messages: Sequence[Message], schema: Schema, seed: int, sent: frozenset[str], usage: Usage
    ) -> Answer:
        """Make one request with the optional parameters `sent`.

        Raises:
            EndpointError: it got no answer.
        """
        usage.count_request()
        started_s = time.monotonic()
        completion = read_completion(self._body(self._request(messages, schema, seed, sent)), self._key)
        usage.add(completion.num_prompt_tokens, completion.num_completion_tokens)
        _log.info("endpoint answered", duration_s=round(time.monotonic() - started_s, 3), messages=len(messages))
        return completion.answer

    def _request(self, messages: Sequence[Message], schema: Schema, seed: int, sent: frozenset[str]) -> dict[str, Any]:
        settings = self._settings
        optional = {
            "seed": seed & 0x7FFFFFFF,
            "temperature": settings.openai_temperature,
            "max_tokens": settings.openai_max_completion_tokens,
            "max_completion_tokens": settings.openai_max_completion_tokens,
        }
        return {
            "model": settings.openai_model,
            **_with_format(messages, schema, sent),
            **{name: value for name, value in optional.items() if name in sent},
        }

    def _body(self, request: dict[str, Any]) -> bytes:
        try:
            return self._client.chat.completions.with_raw_response.create(**request).http_response.content
        except openai.APITimeoutError as error:
            raise EndpointError(FailureKind.TIMEOUT, Statement("")) from error
        except openai.APIStatusError as error:
            answer = error.response
            said = statement_of(answer.text, self._key)
            wait_s = retry_after_s(answer.headers)
            raise EndpointError(FailureKind.STATUS, said, error.status_code, wait_s) from error
        except openai.APIConnectionError as error:
            said = Statement(" ".join(str(error.__cause__ or "").split())[:300])
            raise EndpointError(FailureKind.UNREACHABLE, said) from error

    def _delay_s(self, failure: EndpointError, num_failures: int) -> float:
        """Seconds to wait: as the endpoint requests, else doubling from half a second."""
        requested_s = failure.retry_after_s or 0.5 * 2.0 ** (num_failures - 1)
        return float(min(requested_s, self._settings.openai_max_backoff_s))


def _api_key(settings: PrompterSettings) -> str:
    if settings.openai_api_key_file is None:
        return ""
    try:
        return read_secret(settings.openai_api_key_file).get_secret_value()
    except ValueError as error:
        raise FailedPreconditionError(f"LUMENMILL_OPENAI_API_KEY_FILE: {error}") from None


def _direct(url: str) -> dict[str, None]:
    """Return the hosts that are reached without a proxy, whatever the environment says."""
    host = urlsplit(url).hostname or ""
    return {f"all://[{host}]" if ":" in host else f"all://{host}": None} if is_loopback(url) else {}


def _with_format(messages: Sequence[Message], schema: Schema, sent: frozenset[str]) -> dict[str, Any]:
    """Return messages and response format; where the format has no schema, the messages have it."""
    if "json_schema" in sent:
        answer = {"name": "answer", "schema": schema, "strict": True}
        return {"messages": list(messages), "response_format": {"type": "json_schema", "json_schema": answer}}
    first, *rest = messages
    order = "Answer with one JSON object that conforms to this JSON schema, and nothing else:"
    content = f"{first['content']}\n\n{order}\n{json.dumps(schema)}"
    formats = [{"type": name} for name in ("json_object", "text") if name in sent]
    return {"messages": [{**first, "content": content}, *rest]} | ({"response_format": formats[0]} if formats else {})


def _sleep(delay_s: float, check_cancelled: Callable[[], None]) -> None:
    end_s = time.monotonic() + delay_s
    while (left_s := end_s - time.monotonic()) > 0.0:
        check_cancelled()
        time.sleep(min(left_s, 0.1))
