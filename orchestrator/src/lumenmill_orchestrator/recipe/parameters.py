"""Parameters of a recipe: declared with a type, a default and bounds; checked before the run."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from lumenmill.common.v1 import artifact_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_common.json_misfits import json_misfit
from lumenmill_orchestrator.contracts import message_class
from lumenmill_orchestrator.recipe.bounds import first_bound_problem
from lumenmill_orchestrator.recipe.document import Located, Problems, did_you_mean, shown
from lumenmill_orchestrator.recipe.limits import LONGEST_SCALAR, MAX_CHOICES, MAX_PARAMETERS
from lumenmill_orchestrator.recipe.literals import finite_float
from lumenmill_orchestrator.recipe.types import TypeKind, ValueType, message_type, scalar_type, with_article
from lumenmill_orchestrator.recipe.work_limit import WorkLimit

__all__ = ["Parameter", "compile_parameters", "plain_parameters", "resolve_parameters"]

_TYPES = {
    "int": scalar_type(TypeKind.INT),
    "float": scalar_type(TypeKind.FLOAT),
    "string": scalar_type(TypeKind.STRING),
    "bool": scalar_type(TypeKind.BOOL),
    "artifact": message_type(artifact_pb2.Artifact.DESCRIPTOR),
    "prompt_set": message_type(prompter_pb2.PromptSet.DESCRIPTOR),
}
_TYPES |= {f"list[{name}]": kind.listed() for name, kind in _TYPES.items()}
_LARGEST_LIST = 100_000
_MessageT = TypeVar("_MessageT", bound=Message)
# Numbers of the contracts have at most 64 bits.
_SMALLEST_INT, _LARGEST_INT = -(1 << 63), (1 << 64) - 1
# Of an artifact or prompt set, which is copied into every request that refers to it; artifacts may hold 3 MiB.
_LARGEST_MESSAGE_BYTES = 4 << 20


@dataclass(frozen=True)
class Parameter:
    """One declared parameter."""

    name: str
    type: ValueType
    type_name: str
    where: Located
    default: Any = None
    has_default: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    description: str = ""

    def parse(self, value: Any, limit: WorkLimit) -> Any:
        """Return the value of the parameter for its YAML or JSON form.

        Raises:
            ValueError: it does not fit; the message continues the name of the parameter.
            CancelledError, DeadlineExceededError: of the limit.
        """
        limit.check()
        if not self.type.is_list:
            return self._parse_one(value)
        if not isinstance(value, list):
            raise ValueError(f"must be {with_article(self.type_name)}")
        if len(value) > _LARGEST_LIST:
            raise ValueError(f"has {len(value)} elements; at most {_LARGEST_LIST} are allowed")
        return [self._parse_element(index, element, limit) for index, element in enumerate(value)]

    def placeholder(self) -> Any:
        """Return any valid value, for the checks that follow when the given one is wrong."""
        if self.type.is_list:
            return []
        if self.choices:
            return self.choices[0]
        if self.minimum is not None and self.minimum > 0:
            return math.ceil(self.minimum) if self.type.kind is TypeKind.INT else self.minimum
        return _PLACEHOLDERS[self.type.kind]() if self.type.message is None else message_class(self.type.message)()

    def _parse_element(self, index: int, value: Any, limit: WorkLimit) -> Any:
        limit.check()
        try:
            return self._parse_one(value)
        except ValueError as error:
            raise ValueError(f"at [{index}] {error}") from None

    def _parse_one(self, value: Any) -> Any:
        parsed = _PARSERS[self.type.element()](value)
        if isinstance(parsed, int | float) and not isinstance(parsed, bool):
            if self.minimum is not None and parsed < self.minimum:
                raise ValueError(f"must be at least {self.minimum:g}")
            if self.maximum is not None and parsed > self.maximum:
                raise ValueError(f"must be at most {self.maximum:g}")
        if isinstance(parsed, Message) and parsed.ByteSize() > _LARGEST_MESSAGE_BYTES:
            raise ValueError(f"has {parsed.ByteSize()} bytes; at most {_LARGEST_MESSAGE_BYTES} are allowed")
        if self.choices and parsed not in self.choices:
            raise ValueError(f"must be one of {', '.join(str(choice) for choice in self.choices)}")
        return parsed


def _parse_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError("must be a whole number")
    if not _SMALLEST_INT <= value <= _LARGEST_INT:
        raise ValueError("must lie between -2^63 and 2^64 - 1")
    return int(value)


def _parse_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a finite number")
    return finite_float(value)


def _parse_string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if len(value) > LONGEST_SCALAR:
        raise ValueError(f"has {len(value)} characters; at most {LONGEST_SCALAR} are allowed")
    return value


def _parse_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _parse_artifact(value: Any) -> artifact_pb2.Artifact:
    if not isinstance(value, dict):
        raise ValueError("must be an artifact in JSON form: {uri: …, sha256: …, media_type: …}")
    return _parse_message(value, artifact_pb2.Artifact(), "artifact")


def _parse_prompt_set(value: Any) -> prompter_pb2.PromptSet:
    if not isinstance(value, str | dict):
        raise ValueError("must be a prompt set in JSON form, {image_prompt: …, light: …}, or its image prompt as text")
    fields = {"image_prompt": value} if isinstance(value, str) else value
    return _parse_message(fields, prompter_pb2.PromptSet(), "prompt set")


def _parse_message(fields: dict[str, Any], message: _MessageT, what: str) -> _MessageT:
    """Set the fields of a message. Raises ValueError if they do not fit, or break a bound of the contract."""
    descriptor: Any = message.DESCRIPTOR
    try:
        ParseDict(fields, message)
    except (ParseError, ValueError):  # the latter for half of a surrogate pair
        misfit = json_misfit(fields, descriptor)
        raise ValueError(f"is not {with_article(what)} in JSON form: {misfit}") from None
    if problem := first_bound_problem(message):
        raise ValueError(f"is not a valid {what}: {problem}")
    return message


_PARSERS: dict[ValueType, Callable[[Any], Any]] = {
    _TYPES["int"]: _parse_int,
    _TYPES["float"]: _parse_float,
    _TYPES["string"]: _parse_string,
    _TYPES["bool"]: _parse_bool,
    _TYPES["artifact"]: _parse_artifact,
    _TYPES["prompt_set"]: _parse_prompt_set,
}

_PLACEHOLDERS: dict[TypeKind, Callable[[], Any]] = {
    TypeKind.INT: int,
    TypeKind.FLOAT: float,
    TypeKind.STRING: str,
    TypeKind.BOOL: bool,
}


def compile_parameters(where: Located | None, problems: Problems) -> dict[str, Parameter | None]:
    """Compile `parameters:`; those with problems are None."""
    if where is None:
        return {}
    if not where.is_mapping:
        problems.add(where, "`parameters` is a mapping from names to `{type: …, default: …}`")
        return {}
    if len(where.value) > MAX_PARAMETERS:
        problems.add(where, f"there are {len(where.value)} parameters; at most {MAX_PARAMETERS} are allowed")
        return {}
    return {name: _compile_parameter(name, entry, problems) for name, entry in where.items()}


def _compile_parameter(name: str, where: Located, problems: Problems) -> Parameter | None:
    problems.unknown_keys(where, ("type", "default", "min", "max", "choices", "description"))
    given = where.get("type")
    if given is None or not isinstance(given.value, str) or given.value not in _TYPES:
        word = "" if given is None else str(given.value)
        problems.add(given or where, f"parameter `{name}` needs a `type`{did_you_mean(word, _TYPES)}")
        return None
    for bound in ("min", "max"):
        if (stray := where.get(bound)) is not None and _TYPES[given.value].kind not in (TypeKind.INT, TypeKind.FLOAT):
            problems.add(stray, f"`{bound}` is for numbers only; `{name}` is {with_article(given.value)}")
            return None
    default, description, choices = where.get("default"), where.get("description"), where.get("choices")
    if choices is not None and choices.is_sequence and len(choices.value) > MAX_CHOICES:
        problems.add(choices, f"`{name}` has {len(choices.value)} choices; at most {MAX_CHOICES} are allowed")
        return None
    parameter = Parameter(
        name=name,
        type=_TYPES[given.value],
        type_name=given.value,
        where=where,
        minimum=_bound(where.get("min"), problems),
        maximum=_bound(where.get("max"), problems),
        choices=tuple(choices.plain()) if choices is not None and choices.is_sequence else (),
        description=str(description.value) if description is not None else "",
    )
    if default is None:
        return parameter
    try:
        value = parameter.parse(default.plain(), problems.limit)
    except ValueError as error:
        problems.add(default, f"the default of `{name}` {error}")
        return None
    return Parameter(**{**parameter.__dict__, "default": value, "has_default": True})


def _bound(where: Located | None, problems: Problems) -> float | None:
    if where is None:
        return None
    if isinstance(where.value, bool) or not isinstance(where.value, int | float):
        problems.add(where, "a bound is a number")
        return None
    try:
        return finite_float(where.value)
    except ValueError as error:
        problems.add(where, f"a bound {error}")
        return None


def resolve_parameters(
    declared: Mapping[str, Parameter | None], given: Mapping[str, Any], problems: Problems
) -> dict[str, Any]:
    """Return the values in effect: the given ones, else the defaults. Adds a problem for each that is wrong or absent
    and replaces it by a placeholder. Those whose declaration is wrong have none."""
    known = {name: parameter for name, parameter in declared.items() if parameter is not None}
    values = {name: parameter.default for name, parameter in known.items() if parameter.has_default}
    for name, value in given.items():
        parameter = known.get(name)
        if parameter is None and name in declared:
            continue
        if parameter is None:
            problem = f"unknown parameter `{shown(name)}`{did_you_mean(name, declared)}"
            problems.add_at(0, 0, f"parameters.{name}", problem)
            continue
        try:
            values[name] = parameter.parse(value, problems.limit)
        except ValueError as error:
            problems.add(parameter.where, f"parameter `{name}` {error}")
    for name, parameter in known.items():
        if name not in values and name not in given:
            problems.add(parameter.where, f"parameter `{name}` has no default; give it a value")
    problems.unresolved |= {f"params.{name}" for name in known if name not in values}
    return {name: values[name] if name in values else parameter.placeholder() for name, parameter in known.items()}


def plain_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in their JSON form."""
    return {name: _plain(value) for name, value in parameters.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(element) for element in value]
    return MessageToDict(value, preserving_proto_field_name=True) if isinstance(value, Message) else value
