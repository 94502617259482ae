"""Compiles `with:`, a message in proto JSON form with references, into a builder of messages."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from lumenmill_orchestrator.contracts import message_class
from lumenmill_orchestrator.recipe.bounds import BoundProblem, bound_problems, max_items_of
from lumenmill_orchestrator.recipe.conditions import Condition, compile_condition
from lumenmill_orchestrator.recipe.document import Located, Problems, did_you_mean
from lumenmill_orchestrator.recipe.fills import (
    Fill,
    Produce,
    append_fill,
    comprehension_fill,
    conditional_fill,
    conditional_produce,
    map_fill,
    reference_fill,
    text_fill,
)
from lumenmill_orchestrator.recipe.literals import scalar_literal
from lumenmill_orchestrator.recipe.reference_compiler import ReferenceCompiler
from lumenmill_orchestrator.recipe.references import MISSING, Reference, Scope, whole_reference
from lumenmill_orchestrator.recipe.types import TypeKind, ValueType, field_type, is_map_field, message_of, with_article

__all__ = ["MessageBuilder", "RequestCompiler"]

_EMBEDDED = re.compile(r"\$\{([^{}]*)\}")
_WELL_KNOWN = "google.protobuf."
_WELL_KNOWN_FORMS = {
    "Struct": "must be a mapping from names to values of JSON",
    "Timestamp": "must be a time such as '2026-01-31T12:00:00Z'",
    "Duration": "must be a number of seconds such as '1.5s'",
}
_BRANCHES = ("value", "otherwise")


@dataclass
class MessageBuilder:
    """Builds one message from a scope: a constant part, then one fill for each part with references."""

    constant: Message
    fills: list[Fill] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    given: frozenset[str] = frozenset()
    num_elements: dict[str, int | Reference] = field(default_factory=dict)
    """Lengths of the lists that are known before the run, by the name of the field; or the list from whose elements a
    list is made. Also the values of fields such as `num_images`."""
    known: Message | None = None
    """What is known of the message before the run, apart from `open_fields`; None where a field is wrong."""
    open_fields: frozenset[str] = frozenset()

    def build(self, scope: Scope) -> Message:
        """Return a new message. References to absent values leave their fields unset."""
        message = type(self.constant)()
        self.fill(message, scope)
        return message

    def fill(self, message: Message, scope: Scope) -> None:
        """Set the same fields of a message."""
        message.MergeFrom(self.constant)
        for fill in self.fills:
            fill(message, scope)


def _place_of(problem: BoundProblem, where: Located) -> Located:
    """Return the value of a mapping that a problem is about, else the mapping."""
    place = where.get(problem.field) or where
    is_element = problem.index is not None and place.is_sequence and problem.index < len(place.value)
    return place.value[problem.index] if is_element else place


class RequestCompiler(ReferenceCompiler):
    """Compiles `with:` mappings against message types; adds every problem at its position."""

    def __init__(
        self,
        types: Mapping[str, ValueType],
        problems: Problems,
        known: Scope | None = None,
        *,
        checks_parameters: bool = True,
    ) -> None:
        """`known` holds the values that are known before the run: parameters and models.

        Without `checks_parameters` those of parameters are not checked against the bounds of the contract: the step is
        not executed.
        """
        super().__init__(types, problems)
        self._known = known or {}
        self._checks_parameters = checks_parameters

    def message(
        self, where: Located | None, descriptor: Descriptor, without: frozenset[str] = frozenset()
    ) -> MessageBuilder:
        """Compile a mapping into a builder for a message type. Fields named in `without` are problems, and nothing is
        required of them. What is known before the run is checked against the bounds of the contract."""
        self._problems.limit.check()
        builder = MessageBuilder(message_class(descriptor)())
        if where is None:
            return builder
        if not where.is_mapping:
            self._problems.add(where, f"must be a mapping of the fields of {descriptor.name}")
            return builder
        allowed = [name for name in descriptor.fields_by_name if name not in without]
        known, open_fields = message_class(descriptor)(), set[str]()
        for name, value in where.items():
            if name not in allowed:
                self._problems.add(value, f"{descriptor.name} has no field `{name}`{did_you_mean(name, allowed)}")
            elif not self._known_field(builder, descriptor.fields_by_name[name], value, known):
                open_fields.add(name)
        builder.given = frozenset(name for name, _ in where.items())
        if builder.given.issubset(allowed):
            known.MergeFrom(builder.constant)
            counts = [name for name in builder.given - open_fields if name.startswith("num_")]
            builder.num_elements |= {name: getattr(known, name) for name in counts}
            builder.known, builder.open_fields = known, frozenset(open_fields)
            self._check_bounds(where, known, open_fields, without)
        return builder

    def _known_field(self, builder: MessageBuilder, target: FieldDescriptor, value: Located, known: Message) -> bool:
        """Compile one field, and set it in `known` if all of it is known before the run; return whether it is."""
        num_fills, num_references = len(builder.fills), len(builder.references)
        num_problems = self._problems.num_added
        self._field(builder, target, value)
        is_known = all(self._is_known(reference) for reference in builder.references[num_references:])
        if not is_known or self._problems.num_added > num_problems:
            return False
        try:
            for fill in builder.fills[num_fills:]:
                fill(known, self._known)
        except (TypeError, ValueError) as error:  # a parameter that the field cannot hold
            self._problems.add(value, str(error))
            return False
        if target.is_repeated and not is_map_field(target):
            builder.num_elements[target.name] = len(getattr(known, target.name))
        return True

    def _is_known(self, reference: Reference) -> bool:
        """Return whether a reference has its value before the run: it is to a valid parameter."""
        names = [segment.name for segment in reference.segments[:1]]
        is_parameter = "params" in self._known and all(root == "params" for root in reference.roots())
        is_valid = not any(f"params.{name}" in self._problems.unresolved for name in names)
        return self._checks_parameters and is_parameter and is_valid

    def _check_bounds(self, where: Located, known: Message, open_fields: Set[str], without: frozenset[str]) -> None:
        for oneof in known.DESCRIPTOR.oneofs:
            members = {member.name for member in oneof.fields} - open_fields
            fixed = [name for name, _ in where.items() if name in members]
            if len(fixed) > 1:
                self._problems.add(where.value[fixed[1]], f"`{fixed[1]}` and `{fixed[0]}` exclude each other")
        for problem in bound_problems(known, open_fields):
            if problem.field not in without:
                self._problems.add(_place_of(problem, where), problem.text)

    def _field(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> None:
        path = whole_reference(value.value)
        if value.get("when") is not None:
            self._conditional(builder, target, value)
        elif path is not None:
            self._from_reference(builder, target, value, path)
        elif is_map_field(target):
            self._map(builder, target, value)
        elif target.is_repeated:
            self._repeated(builder, target, value)
        elif target.message_type is not None:
            self._nested(builder, target, value)
        else:
            self._scalar(builder, target, value)

    def _conditional(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> None:
        """Compile `{when: …, value: …, otherwise: …}` for a field."""
        condition = self._condition(builder, value)
        branches = []
        for key in _BRANCHES:
            branch = MessageBuilder(type(builder.constant)())
            if (body := value.get(key)) is not None:
                self._field(branch, target, body)
            builder.references.extend(branch.references)
            branches.append(branch.fill)
        if condition is not None:
            builder.fills.append(conditional_fill(condition.holds, *branches))

    def _condition(self, builder: MessageBuilder, value: Located) -> Condition | None:
        """Compile the condition of a conditional value."""
        self._problems.unknown_keys(value, ("when", *_BRANCHES))
        if value.get("value") is None:
            self._problems.add(value, "`when` needs a `value:`, which is used where the condition holds")
        condition = compile_condition(value.value["when"], self, self._problems)
        builder.references.extend(condition.references if condition is not None else ())
        return condition

    def _from_reference(self, builder: MessageBuilder, target: FieldDescriptor, value: Located, path: str) -> None:
        reference = self.reference(value, path)
        if reference is None:
            return
        expected = field_type(target)
        if expected.is_named_by(reference.type) and reference.root in self._known:
            self._named_value(builder, target, value, reference)
            return
        if not expected.accepts(reference.type):
            self._problems.add(
                value,
                f"`{target.name}` is {with_article(expected)}, but `${{{path}}}` is {with_article(reference.type)}",
            )
            return
        builder.references.append(reference)
        builder.fills.append(reference_fill(target, reference))

    def _named_value(
        self, builder: MessageBuilder, target: FieldDescriptor, value: Located, reference: Reference
    ) -> None:
        """Set an enum to the value that a parameter names; an empty parameter leaves it unset."""
        name = reference.evaluate(self._known)
        if not name:
            return
        try:
            setattr(builder.constant, target.name, scalar_literal(target, name))
        except ValueError as error:
            self._problems.add(value, f"`{target.name}` {error}")

    def _scalar(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> None:
        if isinstance(value.value, str) and _EMBEDDED.search(value.value):
            self._template(builder, target, value)
            return
        if isinstance(value.value, str) and "${" in value.value:
            self._problems.add(value, "`${` has no closing `}`")
            return
        try:
            setattr(builder.constant, target.name, scalar_literal(target, value.value))
        except ValueError as error:
            self._problems.add(value, f"`{target.name}` {error}")

    def _template(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> None:
        if field_type(target).kind is not TypeKind.STRING:
            self._problems.add(
                value, f"`{target.name}` is {with_article(field_type(target))}; text around a reference makes a string"
            )
            return
        parts: list[str | Reference] = []
        position = 0
        for match in _EMBEDDED.finditer(value.value):
            parts.append(value.value[position : match.start()])
            reference = self.reference(value, match.group(1).strip())
            if reference is None:
                return
            if reference.type.is_list or reference.type.kind not in (TypeKind.STRING, TypeKind.INT, TypeKind.FLOAT):
                self._problems.add(
                    value, f"`${{{reference.text}}}` is {with_article(reference.type)} and cannot be inserted into text"
                )
                return
            parts.append(reference)
            position = match.end()
        parts.append(value.value[position:])
        if "${" in value.value[position:]:
            self._problems.add(value, "`${` has no closing `}`")
            return
        builder.references.extend(part for part in parts if isinstance(part, Reference))
        builder.fills.append(text_fill(target, parts))

    def _nested(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> None:
        name = target.name
        if message_of(target).full_name.startswith(_WELL_KNOWN):
            try:
                ParseDict(value.plain(), getattr(builder.constant, name))
            except (ParseError, ValueError):
                self._problems.add(value, f"`{name}` {_WELL_KNOWN_FORMS[message_of(target).name]}")
            return
        inner = self.message(value, message_of(target))
        if not inner.fills:
            getattr(builder.constant, name).CopyFrom(inner.constant)
            getattr(builder.constant, name).SetInParent()
            return
        builder.references.extend(inner.references)
        builder.fills.append(lambda message, scope: getattr(message, name).CopyFrom(inner.build(scope)))

    def _map(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> None:
        if not value.is_mapping:
            self._problems.add(value, f"`{target.name}` must be a mapping from names to values")
            return
        for key, entry in value.items():
            produce = self._element(builder, message_of(target).fields_by_name["value"], entry)
            if produce is not None:
                builder.fills.append(map_fill(target, key, produce))

    def _repeated(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> None:
        if value.is_mapping and value.get("for_each") is not None:
            self._comprehension(builder, target, value)
            return
        if not value.is_sequence:
            self._problems.add(
                value,
                f"`{target.name}` is {with_article(field_type(target))}; "
                "write a list, a reference, or `for_each:` with `value:`",
            )
            return
        builder.num_elements[target.name] = len(value.value)
        for entry in value.value:
            path = whole_reference(entry.value)
            if path is not None and (reference := self.reference(entry, path)) is not None and reference.type.is_list:
                builder.num_elements.pop(target.name, None)
                self._from_reference(builder, target, entry, path)
                continue
            produce = self._element(builder, target, entry)
            if produce is not None:
                builder.fills.append(append_fill(target, produce))

    def _comprehension(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> None:
        self._problems.unknown_keys(value, ("for_each", "value"))
        source = value.get("for_each")
        path = whole_reference(source.value) if source is not None else None
        reference = self.reference(source, path) if source is not None and path is not None else None
        body = value.get("value")
        if source is not None and path is None:
            self._problems.add(source, "`for_each` must be a reference to a list, such as `${item.relight_prompts}`")
        if body is None:
            self._problems.add(value, "`for_each` needs a `value:`, the element to make for each")
        if reference is None or body is None:
            return
        if not reference.type.is_list:
            self._problems.add(value, f"`for_each` needs a list, but `${{{path}}}` is {with_article(reference.type)}")
            return
        known: Any = reference.evaluate(self._known) if self._is_known(reference) else MISSING
        num_elements, most = 0 if known is MISSING else len(known), max_items_of(target)
        if num_elements > most:
            self._problems.add(
                value, f"`{target.name}` has at most {most} elements, but `${{{path}}}` has {num_elements}"
            )
            return
        inner_types = {**self._types, "each": reference.type.element(), "each_index": ValueType(TypeKind.INT)}
        compiler = RequestCompiler(inner_types, self._problems, self._known, checks_parameters=self._checks_parameters)
        produce = compiler._element(builder, target, body)
        if produce is None:
            return
        builder.num_elements[target.name] = reference
        builder.references.append(reference)
        builder.fills.append(comprehension_fill(target, reference, produce))

    def _element(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> Produce | None:
        """Return a function that produces one element of a list or map from a scope."""
        if value.get("when") is None:
            return self._plain_element(builder, target, value)
        condition = self._condition(builder, value)
        bodies = [value.get(key) for key in _BRANCHES]
        branches = [None if body is None else self._element(builder, target, body) for body in bodies]
        return conditional_produce(condition.holds, *branches) if condition is not None else None

    def _plain_element(self, builder: MessageBuilder, target: FieldDescriptor, value: Located) -> Produce | None:
        """Return a function that produces one element that is no conditional value."""
        expected = field_type(target).element()
        path = whole_reference(value.value)
        if path is not None:
            reference = self.reference(value, path)
            if reference is None:
                return None
            if not expected.accepts(reference.type):
                self._problems.add(
                    value,
                    f"an element of `{target.name}` is {with_article(expected)}, "
                    f"but this is {with_article(reference.type)}",
                )
                return None
            builder.references.append(reference)
            return reference.evaluate
        if target.message_type is not None:
            inner = self.message(value, target.message_type)
            builder.references.extend(inner.references)
            return inner.build
        try:
            literal = scalar_literal(target, value.value)
        except ValueError as error:
            self._problems.add(value, f"an element of `{target.name}` {error}")
            return None
        return lambda _scope: literal
