"""Requests that got no answer, and the errors that they become."""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from lumenmill_common.errors import (
    FailedPreconditionError,
    LumenmillError,
    ResourceExhaustedError,
    UnavailableError,
)
from lumenmill_prompter.families.openai_compatible.statement import Statement

__all__ = ["EndpointError", "FailureKind", "retry_after_s"]

_QUOTA_CODES = re.compile(
    r"insufficient_(?:user_)?(?:quota|balance|credits?|funds)|exceeded_current_quota|billing|arrearage|payment_required"
)
_QUOTA_WORDS = re.compile(
    r"insufficient (?:user )?(?:quota|balance|credits?|funds)|exceeded your current quota|billing"
    r"|(?:credit|account|prepaid) balance|credit limit|(?:out of|no|more) credits|payment required"
)
# Some endpoints speak of quota and billing when they limit requests per minute.
_PASSING_LIMIT = re.compile(r"retry (?:in|after)|try again in|per (?:sec|min|hour|day)|rate[_ ]limit")
_FILTER = re.compile(
    r"content[ _-](?:management |safety )?(?:filter|polic)|responsibleaipolicy|data_inspection_failed|moderation"
    r"|inappropriate content|flagged|safety (?:system|filter|polic)|prohibited_content"
)
# About what the model wrote, not about the schema or the format of the request.
_GENERATED = re.compile(
    r"json_validate_failed"
    r"|\bgenerated (?:json|output|text|content|response|answer|object)\b"
    r"|\bfailed to generate (?:valid )?json\b"
    r"|\b(?:generated?|produced?|returned) (?:invalid|malformed|valid) (?:json|output|content)\b"
    r"|\b(?:output|response|answer|completion)\b(?!.?(?:format|schema|type|config))[^.;]{0,40}"
    r"(?:\bnot|n't)\b(?! support)[^.;]{0,30}\b(?:valid|match|conform|parse|satisfy)"
    r"|(?:not|unable to|failed to) (?:parse|validate) (?:the )?(?:(?:model|llm)(?:'s)? )?"
    r"(?:output|response|answer)\b(?!.?format)"
    r"|\b(?:output|response|answer) (?:validation|parsing) (?:failed|error)"
)
_SETTINGS = (
    (re.compile(r"max[_ ](?:completion[_ ])?tokens"), "LUMENMILL_OPENAI_MAX_COMPLETION_TOKENS"),
    (re.compile(r"temperature"), "LUMENMILL_OPENAI_TEMPERATURE"),
)
_ANSWER_STATUSES = {200, 400, 422, 500}
_KEY_STATUSES = {401, 403}
_FILTER_STATUSES = {200, 400, 403, 422, 451}
_PASSING_STATUSES = {408, 409, 425, 429}
_NOT_IMPLEMENTED = {501, 505}


class FailureKind(Enum):
    """How a request failed."""

    UNREACHABLE = auto()
    TIMEOUT = auto()
    STATUS = auto()
    """A status of HTTP that is not 200, or an error in the body of a 200."""
    BROKEN_BODY = auto()
    NO_COMPLETION = auto()
    """A whole body that is something else than a chat completion."""


class EndpointError(Exception):
    """A request that got no answer.

    Attributes:
        kind: how it failed.
        said: what the endpoint said.
        status: HTTP status, or the one that an error in a 200 names; 200 where it names none.
        retry_after_s: seconds until a retry makes sense, as the endpoint says; None where it does not.
    """

    def __init__(
        self, kind: FailureKind, said: Statement, status: int = 200, retry_after_s: float | None = None
    ) -> None:
        super().__init__(said.words)
        self.kind, self.said, self.status, self.retry_after_s = kind, said, status, retry_after_s

    @property
    def is_about_the_answer(self) -> bool:
        """Whether the endpoint rejects what the model wrote, rather than the request."""
        if self.kind is not FailureKind.STATUS or self.status not in _ANSWER_STATUSES:
            return False
        return self.said.rejected_answer is not None or _GENERATED.search(self.said.searchable) is not None

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later."""
        if self.kind is not FailureKind.STATUS:
            return self.kind is not FailureKind.NO_COMPLETION
        if self._is_quota or self._is_filter:
            return False
        passing = self.status in _PASSING_STATUSES or self.status >= 500 or self.status == 200
        return passing and self.status not in _NOT_IMPLEMENTED

    def error(self, endpoint: str) -> LumenmillError:
        """Return the error of a request that is not made again, with the words of the endpoint."""
        words = f": {self.said.words}" if self.said.words else ""
        if not self.is_transient:
            return FailedPreconditionError(f"{self._permanent(endpoint)}{words}{self._hint()}")
        if self.status == 429:
            delay_s = max(self.retry_after_s or 0.0, 1.0)
            return ResourceExhaustedError(f"{endpoint} keeps limiting the rate{words}", retry_delay_s=delay_s)
        return UnavailableError(f"{self._passing(endpoint)}{words}", retry_delay_s=max(self.retry_after_s or 0.0, 1.0))

    @property
    def _is_quota(self) -> bool:
        if self.status == 402 or any(_QUOTA_CODES.search(code) for code in self.said.codes):
            return True
        says_when = self.retry_after_s is not None or _PASSING_LIMIT.search(self.said.searchable)
        return not says_when and self.status < 500 and _QUOTA_WORDS.search(self.said.searchable) is not None

    @property
    def _is_filter(self) -> bool:
        return self.status in _FILTER_STATUSES and _FILTER.search(self.said.searchable) is not None

    def _permanent(self, endpoint: str) -> str:
        if self.kind is FailureKind.NO_COMPLETION:
            return f"{endpoint} answers something else than a chat completion; check LUMENMILL_OPENAI_BASE_URL"
        if self._is_quota:
            return f"the quota or the balance at {endpoint} is used up"
        if self._is_filter:
            return f"the content filter of {endpoint} refuses the request"
        if self.status in _KEY_STATUSES:
            what = "the API key" if self.status == 401 else "access"
            return f"{endpoint} refuses {what}; check LUMENMILL_OPENAI_API_KEY_FILE"
        if self.status == 404:
            settings = "LUMENMILL_OPENAI_MODEL and LUMENMILL_OPENAI_BASE_URL"
            return f"{endpoint} does not know the model or path; check {settings}"
        return f"{endpoint} refuses the request with status {self.status}"

    def _hint(self) -> str:
        if self.kind is not FailureKind.STATUS or self.status in {401, 402, 403, 404}:
            return ""
        named = [setting for words, setting in _SETTINGS if words.search(self.said.searchable)]
        return f" (see {' and '.join(named)})" if named else ""

    def _passing(self, endpoint: str) -> str:
        match self.kind:
            case FailureKind.UNREACHABLE:
                return f"{endpoint} cannot be reached"
            case FailureKind.TIMEOUT:
                return f"{endpoint} does not answer in time"
            case FailureKind.BROKEN_BODY:
                return f"{endpoint} answers with nothing or with broken JSON"
            case _:
                status = "an error in its answer" if self.status == 200 else f"status {self.status}"
                return f"{endpoint} keeps failing with {status}"


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `retry-after-ms` or `Retry-After`, which is a number of seconds or a date; else None.

    A date is compared with the answer's own `Date` where there is one, since the clocks may differ.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1e3
    given = headers.get("retry-after", "")
    seconds = _number(given)
    if seconds is not None:
        return seconds
    until_s = _date_s(given)
    if until_s is None:
        return None
    now_s = _date_s(headers.get("date", ""))
    return max(until_s - (time.time() if now_s is None else now_s), 0.0)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0.0 else None


def _date_s(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
