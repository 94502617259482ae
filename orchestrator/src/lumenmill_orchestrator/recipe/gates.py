"""Gates: conditions that reject the result of a call, or reject a step before its call, with a reason."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lumenmill_orchestrator.recipe.conditions import Condition, compile_condition
from lumenmill_orchestrator.recipe.document import WRONG, Located, Problems
from lumenmill_orchestrator.recipe.reference_compiler import ReferenceCompiler
from lumenmill_orchestrator.recipe.references import Scope

__all__ = ["Gate", "compile_gates"]

_KEYS = ("reason", "reject_when", "accept_when", "when_missing")
# Appended to the reason when a value that the gate needs is missing: what is unknown is not wrong.
_UNKNOWN = "_unknown"
_MAX_REASON_LENGTH = 600
# A label of metrics and part of names in exports.
_REASON = re.compile(r"[a-z0-9_]{1,63}")

_Constant = Callable[[Located, str], Any]
"""Returns the literal or the value of the parameter under a key, as `PipelineContext.constant`."""


@dataclass(frozen=True)
class Gate:
    """Rejects with a reason. It fails closed: a missing value or NaN rejects unless `accepts_missing`."""

    reason: str
    condition: Condition
    reject_when: bool
    accepts_missing: bool

    def rejection(self, scope: Scope) -> str | None:
        """Return why the values in `scope` are rejected; None when they are not.

        `direction_off: error.direction_deg is 83.2, above 60`, and where a value is missing
        `direction_off_unknown: error.direction_deg is missing`.
        """
        found = self.condition.holds(scope)
        if found is None:
            return None if self.accepts_missing else self._text(self.reason + _UNKNOWN, scope)
        return self._text(self.reason, scope) if found is self.reject_when else None

    def _text(self, reason: str, scope: Scope) -> str:
        finding = self.condition.finding(scope)
        text = f"{reason}: {finding}" if finding else reason
        return text if len(text) <= _MAX_REASON_LENGTH else f"{text[: _MAX_REASON_LENGTH - 1]}…"


def compile_gates(
    body: Located, key: str, compiler: ReferenceCompiler, problems: Problems, constant: _Constant
) -> tuple[Gate, ...]:
    """Compile a list of `{reason, reject_when | accept_when, when_missing}` under one key of a step."""
    where = body.get(key)
    if where is None:
        return ()
    if not where.is_sequence:
        problems.add(where, f"`{key}` is a list of `{{reason: …, reject_when: {{…}}}}`")
        return ()
    gates = [_compile_gate(entry, compiler, problems, constant) for entry in where.value]
    return tuple(gate for gate in gates if gate is not None)


def _compile_gate(where: Located, compiler: ReferenceCompiler, problems: Problems, constant: _Constant) -> Gate | None:
    problems.unknown_keys(where, _KEYS)
    reason, reject, accept = where.get("reason"), where.get("reject_when"), where.get("accept_when")
    if reason is None or not isinstance(reason.value, str) or not _REASON.fullmatch(reason.value):
        text = "a gate needs `reason:`, a short word of small letters, digits and `_` such as `direction_off`"
        problems.add(reason or where, text)
        return None
    body = reject or accept
    if body is None or (reject is not None and accept is not None):
        problems.add(where, "a gate needs one of `reject_when:` and `accept_when:`")
        return None
    missing = constant(where, "when_missing")
    if where.get("when_missing") is not None and missing not in ("accept", "reject", WRONG):
        problems.add(where.value["when_missing"], "`when_missing` is `accept` or `reject`, or a parameter")
        return None
    condition = compile_condition(body, compiler, problems)
    if condition is None:
        return None
    return Gate(reason.value, condition, reject is not None, missing == "accept")
