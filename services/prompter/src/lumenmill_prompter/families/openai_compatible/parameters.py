"""Which parameters a model at an endpoint accepts, found out by what it refuses."""

import re
import threading
import time
from collections.abc import Callable

from lumenmill_common.telemetry import get_logger
from lumenmill_prompter.families.openai_compatible.failure import EndpointError, FailureKind

__all__ = ["AcceptedParameters"]

_log = get_logger(__name__)

# A gateway may send the next request to another provider, and servers are upgraded.
_RETRY_REFUSED_AFTER_S = 600.0
_FORMATS = ("json_schema", "json_object", "text")
_LIMITS = ("max_completion_tokens", "max_tokens")
_SEED = ("seed",)
_TEMPERATURE = ("temperature",)
# Of each group the first parameter that is not refused is sent.
_NAMED_BY = {
    _FORMATS: re.compile(
        r"response[_ -]?format|schema|json[_ -]?object|json[_ -]?mode|json_validation|structured|guided|grammar"
    ),
    _LIMITS: re.compile(r"max[_ ](?:completion[_ ])?tokens"),
    _SEED: re.compile(r"\bseed\b"),
    _TEMPERATURE: re.compile(r"\btemperature\b"),
}
_UNSUPPORTED = re.compile(
    r"unsupported|(?:not|n't) (?:\w+ )?support|unrecogni[sz]ed|unknown|unexpected|not (?:permitted|allowed|implemented)"
    r"|forbidden|cannot find|unavailable|required|instead|additional propert|deprecated"
)
_TOO_LARGE = re.compile(r"too (?:large|high|big|long|many)|at most|exceed|maximum|less than|greater than|range|context")
# Says no more than the status does.
_SAYS_NOTHING = re.compile(
    r"(?:error|http|status|code|[45]\d\d|bad|invalid|request|unprocessable|entity|content|not|implemented|[\W_])*"
)
_OTHER_REASONS = {401, 402, 403, 408, 409, 413, 425, 429}


class AcceptedParameters:
    """Remembers for ten minutes what one model refuses; shared by threads."""

    def __init__(self, model: str, temperature: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        """`temperature` is left out where it is refused only if it is 1, which the protocol has as its default."""
        self._model, self._clock_s = model.lower(), clock_s
        self._may_leave_out_temperature = temperature == 1.0
        self._refused_until_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def sent(self) -> frozenset[str]:
        """Return the optional parameters to send; of formats and of limits one each, or none."""
        with self._lock:
            now_s = self._clock_s()
            refused = {name for name, until_s in self._refused_until_s.items() if until_s > now_s}
        return frozenset(name for group in _NAMED_BY for name in [name for name in group if name not in refused][:1])

    def learn(self, sent: frozenset[str], failure: EndpointError) -> bool:
        """Return whether a failed request is worth another with other parameters, which `sent` then returns."""
        refused = self._refused(sent, failure)
        if not refused:
            return False
        with self._lock:
            until_s = self._clock_s() + _RETRY_REFUSED_AFTER_S
            self._refused_until_s.update(dict.fromkeys(refused, until_s))
        _log.info("endpoint refuses parameters; others are sent", refused=sorted(refused), status=failure.status)
        return True

    def _refused(self, sent: frozenset[str], failure: EndpointError) -> set[str]:
        if failure.kind is not FailureKind.STATUS or failure.status in _OTHER_REASONS:
            return set()
        said = failure.said.searchable.replace(self._model, " ")
        says_unsupported = _UNSUPPORTED.search(said) is not None
        if failure.status >= 500 and failure.status != 501 and not says_unsupported:
            return set()
        named = set[str]()
        for group, words in _NAMED_BY.items():
            if words.search(said) and not (group == _LIMITS and not says_unsupported and _TOO_LARGE.search(said)):
                named |= sent & set(group)
        if not self._may_leave_out_temperature:
            named -= {"temperature"}
        if named or failure.status not in {400, 422, 501} or not _SAYS_NOTHING.fullmatch(said):
            return named
        return set([name for group in (_FORMATS, _LIMITS, _SEED) for name in group if name in sent][:1])
