"""Conditions of `when:` and gates: three-valued, so that a missing number never passes for a good one."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

from lumenmill_orchestrator.recipe.document import Located, Problems, did_you_mean
from lumenmill_orchestrator.recipe.references import MISSING, Reference, Scope, whole_reference
from lumenmill_orchestrator.recipe.requests import RequestCompiler
from lumenmill_orchestrator.recipe.types import TypeKind, ValueType

__all__ = ["Condition", "Gate", "compile_condition", "compile_gates"]

_COMBINATIONS = ("all", "any", "not")
_NUMERIC = {
    "above": lambda value, operand: value > operand,
    "below": lambda value, operand: value < operand,
    "min": lambda value, operand: value >= operand,
    "max": lambda value, operand: value <= operand,
}
_OTHER = {
    "equals": lambda value, operand: value == operand,
    "not_equals": lambda value, operand: value != operand,
    "in": lambda value, operand: value in operand,
}
_OPERATORS = (*_NUMERIC, *_OTHER, "present")


class Condition(Protocol):
    """An expression that is true, false, or unknown (None)."""

    @property
    def references(self) -> tuple[Reference, ...]:
        """All references that it evaluates."""

    def holds(self, scope: Scope, known: frozenset[str] | None = None) -> bool | None:
        """Return whether it is true in a scope; None when a value that it needs is missing or NaN.

        `known` names the roots that have values when only some of them have; all others count as missing.
        """


@dataclass(frozen=True)
class _Comparison:
    value: Reference
    operator: str
    operand: Any
    references: tuple[Reference, ...]

    def holds(self, scope: Scope, known: frozenset[str] | None = None) -> bool | None:
        if known is not None and not all(known.issuperset(reference.roots()) for reference in self.references):
            return None
        value = self.value.evaluate(scope)
        operand = self.operand.evaluate(scope) if isinstance(self.operand, Reference) else self.operand
        if self.operator == "present":
            return bool((not _unknown(value)) == operand)
        if _unknown(value) or _unknown(operand):
            return None
        return bool((_NUMERIC.get(self.operator) or _OTHER[self.operator])(value, operand))


@dataclass(frozen=True)
class _Combination:
    kind: str
    parts: tuple[Condition, ...]
    references: tuple[Reference, ...]

    def holds(self, scope: Scope, known: frozenset[str] | None = None) -> bool | None:
        found = [part.holds(scope, known) for part in self.parts]
        if self.kind == "not":
            return None if found[0] is None else not found[0]
        decisive = self.kind == "any"
        if decisive in found:
            return decisive
        return None if None in found else not decisive


@dataclass(frozen=True)
class Gate:
    """Rejects a result with a reason. It fails closed: a missing value or NaN rejects unless `accepts_missing`."""

    reason: str
    condition: Condition
    reject_when: bool
    accepts_missing: bool

    def rejects(self, scope: Scope) -> bool:
        """Return whether the result in `scope` is rejected."""
        found = self.condition.holds(scope)
        if found is None:
            return not self.accepts_missing
        return found is self.reject_when


def compile_condition(where: Located, compiler: RequestCompiler, problems: Problems) -> Condition | None:
    """Compile `{value: ${…}, below: 40}`, or `all:`, `any:`, `not:` of such."""
    if not where.is_mapping:
        problems.add(where, "a condition is a mapping such as `{value: ${caption.error.direction_deg}, max: 40}`")
        return None
    combination = next((name for name in _COMBINATIONS if where.get(name) is not None), None)
    if combination is not None:
        problems.unknown_keys(where, (combination,))
        return _compile_combination(where, combination, compiler, problems)
    problems.unknown_keys(where, ("value", *_OPERATORS))
    return _compile_comparisons(where, compiler, problems)


def _compile_combination(where: Located, kind: str, compiler: RequestCompiler, problems: Problems) -> Condition | None:
    body = where.value[kind]
    if kind != "not" and not body.is_sequence:
        problems.add(body, f"`{kind}` needs a list of conditions")
        return None
    entries = [body] if kind == "not" else body.value
    parts = [compile_condition(entry, compiler, problems) for entry in entries]
    found = tuple(part for part in parts if part is not None)
    if len(found) != len(parts) or not found:
        return None
    return _Combination(kind, found, tuple(reference for part in found for reference in part.references))


def _compile_comparisons(where: Located, compiler: RequestCompiler, problems: Problems) -> Condition | None:
    given = where.get("value")
    path = whole_reference(given.value) if given is not None else None
    if given is None or path is None:
        problems.add(given or where, "a condition needs `value:`, a reference such as `${caption.error.direction_deg}`")
        return None
    value = compiler.reference(given, path)
    operators = [name for name in _OPERATORS if where.get(name) is not None]
    if not operators:
        problems.add(where, f"a condition needs one of {', '.join(_OPERATORS)}")
    if value is None or not operators:
        return None
    parts = [_compile_comparison(value, name, where.value[name], compiler, problems) for name in operators]
    found = tuple(part for part in parts if part is not None)
    if len(found) != len(parts):
        return None
    if len(found) == 1:
        return found[0]
    return _Combination("all", found, tuple(reference for part in found for reference in part.references))


def _compile_comparison(
    value: Reference, operator: str, where: Located, compiler: RequestCompiler, problems: Problems
) -> Condition | None:
    if operator in _NUMERIC and (value.type.is_list or value.type.kind not in (TypeKind.INT, TypeKind.FLOAT)):
        problems.add(where, f"`{operator}` compares numbers, but `${{{value.text}}}` is a {value.type}")
        return None
    path = whole_reference(where.value)
    if path is not None and operator != "present":
        operand = compiler.reference(where, path)
        if operand is None or not _comparable(operator, value.type, operand.type):
            problems.add(where, f"`${{{path}}}` cannot be compared with a {value.type}")
            return None
        return _Comparison(value, operator, operand, (value, operand))
    literal = _literal(operator, value.type, where, problems)
    return None if literal is MISSING else _Comparison(value, operator, literal, (value,))


def _comparable(operator: str, value: ValueType, operand: ValueType) -> bool:
    numbers = (TypeKind.INT, TypeKind.FLOAT)
    if operator == "in":
        return operand.is_list and value.kind is operand.kind
    return not operand.is_list and (value.kind is operand.kind or (value.kind in numbers and operand.kind in numbers))


def _literal(operator: str, value: ValueType, where: Located, problems: Problems) -> Any:
    plain = where.plain()
    if operator == "in" and not isinstance(plain, list):
        problems.add(where, "`in` needs a list of values")
        return MISSING
    if operator == "present" and not isinstance(plain, bool):
        problems.add(where, "`present` is true or false")
        return MISSING
    if operator in _NUMERIC and (isinstance(plain, bool) or not isinstance(plain, int | float)):
        problems.add(where, f"`{operator}` needs a number")
        return MISSING
    if value.enum is not None and operator != "present":
        return _enum_numbers(plain, value, where, problems)
    return plain


def _enum_numbers(plain: Any, value: ValueType, where: Located, problems: Problems) -> Any:
    names = value.enum.values_by_name if value.enum is not None else {}
    given = plain if isinstance(plain, list) else [plain]
    wrong = [name for name in given if name not in names]
    if wrong:
        problems.add(where, f"{value} has no `{wrong[0]}`{did_you_mean(str(wrong[0]), names)}")
        return MISSING
    numbers = [names[name].number for name in given]
    return numbers if isinstance(plain, list) else numbers[0]


def compile_gates(where: Located | None, compiler: RequestCompiler, problems: Problems) -> tuple[Gate, ...]:
    """Compile `gates:`, a list of `{reason, reject_when | accept_when, when_missing}`."""
    if where is None:
        return ()
    if not where.is_sequence:
        problems.add(where, "`gates` is a list of `{reason: …, reject_when: {…}}`")
        return ()
    gates = [_compile_gate(entry, compiler, problems) for entry in where.value]
    return tuple(gate for gate in gates if gate is not None)


def _compile_gate(where: Located, compiler: RequestCompiler, problems: Problems) -> Gate | None:
    problems.unknown_keys(where, ("reason", "reject_when", "accept_when", "when_missing"))
    reason, reject, accept = where.get("reason"), where.get("reject_when"), where.get("accept_when")
    if reason is None or not isinstance(reason.value, str) or not reason.value:
        problems.add(reason or where, "a gate needs `reason:`, a short word such as `direction_off`")
        return None
    body = reject or accept
    if body is None or (reject is not None and accept is not None):
        problems.add(where, "a gate needs one of `reject_when:` and `accept_when:`")
        return None
    missing = where.get("when_missing")
    if missing is not None and missing.value not in ("accept", "reject"):
        problems.add(missing, "`when_missing` is `accept` or `reject`")
        return None
    condition = compile_condition(body, compiler, problems)
    if condition is None:
        return None
    return Gate(reason.value, condition, reject is not None, missing is not None and missing.value == "accept")


def _unknown(value: Any) -> bool:
    return value is MISSING or (isinstance(value, float) and math.isnan(value))
