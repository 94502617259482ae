"""Conditions of `when:` and gates: three-valued, so that a missing number never passes for a good one."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lumenmill_orchestrator.recipe.document import Located, Problems
from lumenmill_orchestrator.recipe.literals import enum_number
from lumenmill_orchestrator.recipe.reference_compiler import ReferenceCompiler
from lumenmill_orchestrator.recipe.references import MISSING, Reference, Scope, whole_reference
from lumenmill_orchestrator.recipe.types import TypeKind, ValueType, with_article

__all__ = ["Condition", "compile_condition"]

_COMBINATIONS = ("all", "any", "not")
_NUMERIC = {
    "above": lambda value, operand: value > operand,
    "below": lambda value, operand: value < operand,
    "min": lambda value, operand: value >= operand,
    "max": lambda value, operand: value <= operand,
    "beyond": lambda value, operand: abs(value) > operand,
}
_OTHER = {
    "equals": lambda value, operand: value == operand,
    "not_equals": lambda value, operand: value != operand,
    "in": lambda value, operand: value in operand,
}
_FLAGS = ("present", "empty")
_ITEM_ROOTS = frozenset({"item_index", "item_id"})
_INDEX_IN_ID = re.compile(r"[a-z0-9_]+-(\d{6,18})")
_OPERATORS = (*_NUMERIC, *_OTHER, *_FLAGS)
_LIMITS = {"min": "at least ", "max": "at most ", "beyond": "beyond ±"}


class Condition(Protocol):
    """An expression that is true, false, or unknown (None)."""

    @property
    def references(self) -> tuple[Reference, ...]:
        """All references that it evaluates."""

    def holds(self, scope: Scope, known: frozenset[str] | None = None) -> bool | None:
        """Return whether it is true in a scope; None when a value that it needs is missing or NaN.

        `known` names the roots that have values when only some of them have; all others count as missing.
        """

    def finding(self, scope: Scope) -> str:
        """Return in words the values that decide whether it is true; empty where only parameters do."""

    def turning_points(self, scope: Scope) -> set[int]:
        """Return the indices of items at which its truth may change, as far as it depends on `item_index` and
        `item_id`: it is equal for all items between two of them. `scope` has parameters and models."""


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
        if self.operator == "empty":
            return bool((not value) == operand)
        return bool((_NUMERIC.get(self.operator) or _OTHER[self.operator])(value, operand))

    def finding(self, scope: Scope) -> str:
        if self.value.root == "params":
            return ""
        value, name = self.value.evaluate(scope), self.value.text.removeprefix("result.")
        if _unknown(value):
            return f"{name} is missing"
        if self.operator == "present":
            return ""
        if self.operator == "empty":
            return _text(value) or f"{name} is empty"
        operand = self.operand.evaluate(scope) if isinstance(self.operand, Reference) else self.operand
        limit = "missing" if _unknown(operand) else _text(operand)
        relation = f", {self._relation(scope)}{limit}" if self.operator in _NUMERIC else ""
        return f"{name} is {_text(value)}{relation}"

    def turning_points(self, scope: Scope) -> set[int]:
        if not any(_ITEM_ROOTS.intersection(reference.roots()) for reference in self.references):
            return set()
        found: set[int] = set()
        for side in (self.value, self.operand):
            value = side.evaluate(scope) if isinstance(side, Reference) else side
            for each in value if isinstance(value, list) else [value]:
                index = _index_in(each)
                # Equality turns at the index and after it; a limit between two indices turns at the second.
                found.update(() if index is None else (index, index + 1))
        for reference in self.references:
            # Each element of a list may differ, and the first index after it has none.
            found.update(range(_length_indexed_by_item(reference, scope) + 1))
        return found

    def _relation(self, scope: Scope) -> str:
        negation = "not " if self.holds(scope) is False else ""
        return negation + _LIMITS.get(self.operator, f"{self.operator} ")


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

    def finding(self, scope: Scope) -> str:
        own = self.holds(scope)
        decisive = [part for part in self.parts if self.kind == "not" or part.holds(scope) is own]
        return "; ".join(text for part in decisive if (text := part.finding(scope)))

    def turning_points(self, scope: Scope) -> set[int]:
        return set().union(*(part.turning_points(scope) for part in self.parts))


def compile_condition(where: Located, compiler: ReferenceCompiler, problems: Problems) -> Condition | None:
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


def _compile_combination(
    where: Located, kind: str, compiler: ReferenceCompiler, problems: Problems
) -> Condition | None:
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


def _compile_comparisons(where: Located, compiler: ReferenceCompiler, problems: Problems) -> Condition | None:
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
    value: Reference, operator: str, where: Located, compiler: ReferenceCompiler, problems: Problems
) -> Condition | None:
    if operator in _NUMERIC and (value.type.is_list or value.type.kind not in (TypeKind.INT, TypeKind.FLOAT)):
        problems.add(where, f"`{operator}` compares numbers, but `${{{value.text}}}` is {with_article(value.type)}")
        return None
    if operator == "empty" and not _can_be_empty(value.type):
        problems.add(
            where, f"`empty` needs a list, a map or a string, but `${{{value.text}}}` is {with_article(value.type)}"
        )
        return None
    path = whole_reference(where.value)
    if path is not None and operator not in _FLAGS:
        operand = compiler.reference(where, path)
        if operand is None or not _comparable(operator, value.type, operand.type):
            problems.add(where, f"`${{{path}}}` cannot be compared with {with_article(value.type)}")
            return None
        return _Comparison(value, operator, operand, (value, operand))
    literal = _literal(operator, value.type, where, problems)
    return None if literal is MISSING else _Comparison(value, operator, literal, (value,))


def _can_be_empty(value: ValueType) -> bool:
    return value.is_list or value.is_map or value.kind is TypeKind.STRING


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
    if operator in _FLAGS and not isinstance(plain, bool):
        problems.add(where, f"`{operator}` is true or false")
        return MISSING
    if operator in _NUMERIC and (isinstance(plain, bool) or not isinstance(plain, int | float)):
        problems.add(where, f"`{operator}` needs a number")
        return MISSING
    if value.enum is not None and operator not in _FLAGS:
        return _enum_numbers(plain, value, where, problems)
    return plain


def _enum_numbers(plain: Any, value: ValueType, where: Located, problems: Problems) -> Any:
    if value.enum is None:
        raise TypeError(f"a {value} is no enum")
    try:
        numbers = [enum_number(value.enum, name) for name in (plain if isinstance(plain, list) else [plain])]
    except ValueError as error:
        problems.add(where, f"the value {error}")
        return MISSING
    return numbers if isinstance(plain, list) else numbers[0]


def _index_in(value: Any) -> int | None:
    """Return the index of an item that a number or an `item_id` names; None for other values."""
    if isinstance(value, str):
        match = _INDEX_IN_ID.fullmatch(value)
        return int(match.group(1)) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
        return None
    return math.floor(value)


def _length_indexed_by_item(reference: Reference, scope: Scope) -> int:
    """Return the length of the list that a reference reads at an index of the item; 0 where it reads none."""
    for position, segment in enumerate(reference.segments):
        if segment.index_path and segment.index_path[0] in _ITEM_ROOTS:
            elements = replace(reference, segments=reference.segments[:position]).evaluate(scope)
            return 0 if elements is MISSING else len(elements)
    return 0


def _unknown(value: Any) -> bool:
    return value is MISSING or (isinstance(value, float) and math.isnan(value))


def _text(value: Any) -> str:
    """Return a value for a reason: numbers short, the entries of a list one after the other."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) or not isinstance(value, Iterable):
        return str(value)
    return " ".join(_text(entry) for entry in value)
